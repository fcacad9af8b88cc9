// Histories as lines of text, so that clients in other processes and languages can have theirs judged. Words have one
// space between them; what is absent is "-", which no word of a client may be.
//
//   op CLIENT PLACE KIND KEY ARGUMENT COMPARE CALLED RETURNED OUTCOME RESULT [TTL-LEAST TTL-MOST]
//   order KEY FIRST SECOND RETURNED
//   grant KEY OWNER TOKEN CALLED RETURNED TTL GIVEN-BACK
//   complaint WORDS...
//
// Fields are those of Operation, OrderedRead and Grant; times are microseconds of one clock; KIND and OUTCOME are
// spelled as in the enums; KEY of an order is the counter that goes first. A complaint is what a client saw and should
// never see.
//
// Thread-safety: none.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tests/sim/history.h"

namespace chainring::sim {

struct Histories {
  std::map<std::string, std::vector<Operation>, std::less<>> by_key;
  std::map<std::string, std::vector<OrderedRead>, std::less<>> ordered_reads;  // by the key that is counted up first
  std::vector<Grant> grants;
  std::vector<std::string> complaints;
};

// Adds one line, without its end. A line that is none of the above is an error that tells it.
[[nodiscard]] Status add_line(std::string_view line, Histories& histories);

}  // namespace chainring::sim
