#include "node/sender_log.h"

#include <algorithm>

namespace chainring::node {

SenderLog::Found SenderLog::find(Incarnation sender, uint64_t number) const {
  for (const Sender& known : senders_) {
    if (known.id != sender) continue;
    const auto at = std::lower_bound(known.answers.begin(), known.answers.end(), number,
                                     [](const Answer& answer, uint64_t wanted) { return answer.number < wanted; });
    if (at != known.answers.end() && at->number == number) return {Verdict::known, &*at};
    if (number < known.answered_below) return {Verdict::expired, nullptr};
  }
  return {Verdict::fresh, nullptr};
}

void SenderLog::record(Incarnation sender, uint64_t number, uint64_t answered_below, Sequence sequence,
                       std::string_view reply) {
  CHECK(sender != 0 && number != 0, "only numbered writes are remembered");
  auto at = std::find_if(senders_.begin(), senders_.end(), [&](const Sender& known) { return known.id == sender; });
  if (at == senders_.end()) {
    if (senders_.size() == kSendersMax) {
      senders_.erase(std::min_element(senders_.begin(), senders_.end(),
                                      [](const Sender& a, const Sender& b) { return a.last < b.last; }));
    }
    senders_.emplace_back().id = sender;
    at = senders_.end() - 1;
  }
  at->last = sequence;
  at->answered_below = std::max(at->answered_below, answered_below);

  // Numbers come in order but for retries after a fail-over, so the place is nearly always the end.
  size_t place = at->answers.size();
  while (place > 0 && at->answers[place - 1].number > number) --place;
  at->answers.insert(place, Answer{number, sequence, std::string(reply)});

  while (!at->answers.empty() && at->answers.front().number < at->answered_below) at->answers.pop_front();
  if (at->answers.size() > kAnswersMax) {
    at->answered_below = at->answers.front().number + 1;
    at->answers.pop_front();
  }
}

}  // namespace chainring::node
