#include "cli/serve_empty.h"

#include <cstdio>

#include "base/text.h"
#include "cli/confirm.h"
#include "cli/lost_report.h"
#include "cli/ring_connection.h"

namespace chainring::cli {
namespace {

int fail(std::string_view why) {
  std::fputs(concat("chainring serve-empty: ", plain(why), '\n').c_str(), stderr);
  return kFailed;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) append_text(text, text.empty() ? "" : " ", word);
  return text;
}

}  // namespace

int run_serve_empty(const ServeEmptyCommand& command) {
  RingConnection ring({command.host, command.port, command.password});
  const Result<std::string> json = ring.ask({"LOST"});
  if (!json) return fail(json.status().message());
  const Result<LostReport> report = parse_lost(*json);
  if (!report) return fail(report.status().message());
  if (report->slots == 0) {
    std::fputs("nothing is lost: somebody is there for every slot\n", stdout);
    return kDone;
  }
  std::fputs(to_text(*report).c_str(), stdout);
  const GivenUp given = given_up(*report, command.gone);
  if (given.count == 0) {
    return fail(
        "those who are absent may come back with what they held: wait for them, or start their processes again under "
        "their names, which says that the old ones are gone. Of nodes that will never run again say so: --gone NAME");
  }
  std::fputs(concat("\n", given.count, " slots are to be served again, EMPTY: ", joined(given.slots),
                    "\nAll that they held is lost for good then, also when one of these nodes comes back.\n")
                 .c_str(),
             stdout);
  if (!command.yes && !confirm("Serve them empty?")) return fail("nothing was done");
  std::vector<std::string> words{"SERVE-EMPTY"};
  words.insert(words.end(), given.slots.begin(), given.slots.end());
  if (!command.gone.empty()) words.push_back("GONE");
  words.insert(words.end(), command.gone.begin(), command.gone.end());
  const Result<std::string> answer = ring.ask(words);
  if (!answer) return fail(answer.status().message());
  std::fputs(concat(given.count, " slots begin again, empty; `chainring status` shows when they are served\n").c_str(),
             stdout);
  return kDone;
}

}  // namespace chainring::cli
