#include "cli/lost_report.h"

#include <algorithm>

#include "base/text.h"
#include "cli/text_table.h"

namespace chainring::cli {
namespace {

std::string story_of(const LostReport::Member& member) {
  if (member.state == "gone") return "gone for good: a later process has its name";
  return concat("absent for ", member.lapsed_ms / 1000, " s; if its process lives, its slots go on when it is back");
}

}  // namespace

std::string to_text(const LostReport& report) {
  TextTable table({"MEMBER", "NODE", "ADDRESS", "SLOTS", "STATE"});
  for (const LostReport::Member& member : report.members) {
    table.add({concat(member.id), member.name, concat(member.host, ':', member.port), concat(member.slots),
               story_of(member)});
  }
  return concat(report.slots, " slots are not served, for none of those that held them is there:\n", table.text());
}

GivenUp given_up(const LostReport& report, const std::vector<std::string>& gone) {
  const auto is_given_up = [&](int64_t id) {
    const auto member = std::find_if(report.members.begin(), report.members.end(),
                                     [&](const LostReport::Member& listed) { return listed.id == id; });
    return member == report.members.end() || member->state == "gone" ||
           std::find(gone.begin(), gone.end(), member->name) != gone.end();
  };
  GivenUp given;
  int64_t first = 0, next = -1;  // of the run that is put together
  const auto end_run = [&] {
    if (next > first) given.slots.push_back(next == first + 1 ? concat(first) : concat(first, '-', next - 1));
  };
  for (const LostReport::Chain& chain : report.chains) {
    if (!std::all_of(chain.members.begin(), chain.members.end(), is_given_up)) continue;
    given.count += chain.last - chain.first + 1;
    if (chain.first != next) {
      end_run();
      first = chain.first;
    }
    next = chain.last + 1;
  }
  end_run();
  return given;
}

}  // namespace chainring::cli
