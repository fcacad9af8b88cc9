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

std::vector<protocol::SenderRecord> SenderLog::records() const {
  std::vector<protocol::SenderRecord> records;
  for (const Sender& sender : senders_) {
    protocol::SenderRecord& record = records.emplace_back();
    record.sender = sender.id;
    record.answered_below = sender.answered_below;
    record.last = sender.last;
    for (const Answer& answer : sender.answers)
      record.answers.push_back({answer.number, answer.sequence, answer.reply});
  }
  return records;
}

void SenderLog::restore(const std::vector<protocol::SenderRecord>& records) {
  senders_.clear();
  for (const protocol::SenderRecord& record : records) {
    Sender& sender = senders_.emplace_back();
    sender.id = record.sender;
    sender.answered_below = record.answered_below;
    sender.last = record.last;
    for (const protocol::SenderAnswer& answer : record.answers) {
      sender.answers.push_back({answer.number, answer.sequence, answer.reply});
    }
  }
}

}  // namespace chainring::node
