#include "cli/recovery_report.h"

#include "base/text.h"
#include "cli/text_table.h"

namespace chainring::cli {

std::string to_text(const RecoveryReport& report) {
  TextTable table({"NODE", "TABLE", "SLOTS"});
  for (const RecoveryReport::Node& node : report.stated) {
    table.add({node.name, node.version == 0 ? "none" : concat(node.version), concat(node.slots)});
  }
  std::string out = concat("cluster ", report.cluster_id, ": generation ", report.generation, " begins with table ",
                           report.version, " of these nodes:\n", table.text());
  for (const RecoveryReport::Node& node : report.silent) {
    append_text(
        out, "NOT ASKED: ", node.name, ", which holds ", node.slots,
        " slots. It counts as absent: what it may have acknowledged by a table that none of the others knows is "
        "lost. Ask it too, if it lives.\n");
  }
  if (report.uncovered_slots > 0) {
    append_text(out, "NOT COVERED: ", report.uncovered_slots, " slots, which none of these nodes holds:");
    for (const RecoveryReport::Range& range : report.uncovered) append_text(out, ' ', range.first, '-', range.last);
    out.append("\n");
  }
  append_text(out, "LOST: all locks, whoever holds them; the tokens of new ones are greater than all before.\n");
  return out;
}

}  // namespace chainring::cli
