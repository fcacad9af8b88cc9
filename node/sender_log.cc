#include "node/sender_log.h"

#include <algorithm>
#include <utility>

namespace chainring::node {

SenderLog::Found SenderLog::find(Incarnation sender, uint64_t number, Sent sent) const {
  for (const Sender& known : senders_) {
    if (known.id != sender) continue;
    const size_t place = known.place_of(number);
    if (place < known.answers.size() && known.answers[place].number == number) {
      const Answer& answer = known.answers[place];
      if (answer.reply.empty()) return {Verdict::expired, nullptr};
      return {Verdict::known, &answer};
    }
    return {number < known.answered_below ? Verdict::expired : Verdict::fresh, nullptr};
  }
  const bool may_have_run = has_forgotten_senders_ && sent == Sent::again;
  return {may_have_run ? Verdict::expired : Verdict::fresh, nullptr};
}

bool SenderLog::covers(const SenderLog& other) const {
  return std::all_of(other.senders_.begin(), other.senders_.end(), [this](const Sender& sender) {
    return std::all_of(sender.answers.begin(), sender.answers.end(), [&](const Answer& answer) {
      return !answer.recorded || find(sender.id, answer.number, Sent::again).verdict != Verdict::fresh;
    });
  });
}

SenderLog::Sender& SenderLog::sender_for_writing(Incarnation sender, uint64_t number) {
  CHECK(sender != 0, "only numbered writes are remembered");
  const auto at =
      std::find_if(senders_.begin(), senders_.end(), [&](const Sender& known) { return known.id == sender; });
  if (at != senders_.end()) return *at;
  if (senders_.size() == kSendersMax) forget_oldest_sender();
  Sender& made = senders_.emplace_back();
  bytes_ += made.bytes();
  made.id = sender;
  // Its writes run in the order of their numbers: what it may have written before it was forgotten is below this one.
  if (has_forgotten_senders_) made.answered_below = number;
  return made;
}

void SenderLog::forget_oldest_sender() {
  const auto oldest = std::min_element(senders_.begin(), senders_.end(),
                                       [](const Sender& a, const Sender& b) { return a.last < b.last; });
  bytes_ -= oldest->bytes();
  senders_.erase(oldest);
  has_forgotten_senders_ = true;
}

size_t SenderLog::Sender::place_of(uint64_t number) const {
  const auto at = std::lower_bound(answers.begin(), answers.end(), number,
                                   [](const Answer& answer, uint64_t wanted) { return answer.number < wanted; });
  return static_cast<size_t>(at - answers.begin());
}

// Numbers come in order but for retries after a fail-over, so the place is nearly always the end.
void SenderLog::Sender::insert(Answer answer) {
  size_t place = answers.size();
  while (place > 0 && answers[place - 1].number > answer.number) --place;
  if (!answer.recorded) ++unrecorded;
  reply_bytes += answer.reply.size();
  kept_from = std::min(kept_from, answer.number);
  if (place > 0 && answers[place - 1].number == answer.number) {  // what was noted here has run elsewhere
    if (!answers[place - 1].recorded) --unrecorded;
    reply_bytes -= answers[place - 1].reply.size();
    answers[place - 1] = std::move(answer);
  } else {
    answers.insert(place, std::move(answer));
  }
  while (!answers.empty() && answers.front().number < answered_below) forget_oldest();
  if (answers.size() > kAnswersMax) {
    answered_below = answers.front().number + 1;
    forget_oldest();
  }
  drop_oldest_replies();
}

void SenderLog::Sender::forget_oldest() {
  if (!answers.front().recorded) --unrecorded;
  reply_bytes -= answers.front().reply.size();
  answers.pop_front();
}

void SenderLog::Sender::drop_oldest_replies() {
  for (size_t place = place_of(kept_from); reply_bytes > kRepliesBytesMax; ++place) {
    drop_reply(place);
    kept_from = answers[place].number + 1;
  }
}

void SenderLog::Sender::drop_reply(size_t place) {
  reply_bytes -= answers[place].reply.size();
  std::string().swap(answers[place].reply);  // gives its memory back
}

void SenderLog::add(Incarnation sender, uint64_t answered_below, Answer answer) {
  CHECK(answer.number != 0, "only numbered writes are remembered");
  Sender& known = sender_for_writing(sender, answer.number);
  newest_ = std::max(newest_, answer.sequence);
  known.last = newest_;
  known.answered_below = std::max(known.answered_below, answered_below);
  bytes_ -= known.bytes();
  known.insert(std::move(answer));
  bytes_ += known.bytes();
}

void SenderLog::record(Incarnation sender, uint64_t number, uint64_t answered_below, Sequence sequence,
                       std::string_view reply) {
  add(sender, answered_below, {number, sequence, std::string(kept(reply)), true});
}

void SenderLog::note(Incarnation sender, uint64_t number, uint64_t answered_below, Sequence sequence,
                     std::string_view reply) {
  add(sender, answered_below, {number, sequence, std::string(kept(reply)), false});
}

std::vector<protocol::EarlierAnswer> SenderLog::take_unrecorded(Incarnation sender, uint64_t answered_below) {
  std::vector<protocol::EarlierAnswer> taken;
  for (Sender& known : senders_) {
    if (known.id != sender || known.unrecorded == 0) continue;
    for (Answer& answer : known.answers) {
      if (!answer.recorded && answer.number >= answered_below) taken.push_back({answer.number, answer.reply});
      answer.recorded = true;
    }
    known.unrecorded = 0;
  }
  return taken;
}

void SenderLog::forget_reply(Incarnation sender, uint64_t number) {
  for (Sender& known : senders_) {
    const size_t place = known.place_of(number);
    if (known.id != sender || place == known.answers.size() || known.answers[place].number != number) continue;
    bytes_ -= known.bytes();
    known.drop_reply(place);
    bytes_ += known.bytes();
  }
}

std::vector<protocol::SenderRecord> SenderLog::records() const {
  std::vector<protocol::SenderRecord> records;
  for (const Sender& sender : senders_) {
    protocol::SenderRecord& record = records.emplace_back();
    record.sender = sender.id;
    record.answered_below = sender.answered_below;
    record.last = sender.last;
    for (const Answer& answer : sender.answers) {
      if (answer.recorded) record.answers.push_back({answer.number, answer.sequence, answer.reply});
    }
  }
  return records;
}

void SenderLog::restore(const std::vector<protocol::SenderRecord>& records, bool has_forgotten_senders) {
  clear();
  has_forgotten_senders_ = has_forgotten_senders;
  for (const protocol::SenderRecord& record : records) {
    Sender& sender = senders_.emplace_back();
    sender.id = record.sender;
    sender.answered_below = record.answered_below;
    sender.last = record.last;
    newest_ = std::max(newest_, record.last);
    for (const protocol::SenderAnswer& answer : record.answers) {
      sender.answers.push_back({answer.number, answer.sequence, answer.reply, true});
      sender.reply_bytes += answer.reply.size();
    }
    bytes_ += sender.bytes();
  }
}

}  // namespace chainring::node
