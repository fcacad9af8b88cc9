#include "node/sender_log.h"

#include <algorithm>
#include <utility>

namespace chainring::node {

SenderLog::Found SenderLog::find(Incarnation sender, uint64_t number, Sent sent, Micros now) const {
  for (const Sender& known : senders_) {
    if (known.id != sender || is_silent(known, now)) continue;
    const size_t place = known.place_of(number);
    if (place < known.answers.size() && known.answers[place].number == number) {
      const Answer& answer = known.answers[place];
      if (answer.reply.empty()) return {Verdict::expired, nullptr};
      return {Verdict::known, &answer};
    }
    return {number < known.answered_below ? Verdict::expired : Verdict::fresh, nullptr};
  }
  const bool may_have_run = forgotten_for(now) > 0 && sent == Sent::again;
  return {may_have_run ? Verdict::expired : Verdict::fresh, nullptr};
}

bool SenderLog::covers(const SenderLog& other, Micros now, Micros others_now) const {
  return std::all_of(other.senders_.begin(), other.senders_.end(), [&](const Sender& sender) {
    if (others_now - sender.recorded_at >= kSenderSilence / 2) return true;
    return std::all_of(sender.answers.begin(), sender.answers.end(), [&](const Answer& answer) {
      return !answer.recorded || find(sender.id, answer.number, Sent::again, now).verdict != Verdict::fresh;
    });
  });
}

SenderLog::Sender& SenderLog::sender_for_writing(Incarnation sender, uint64_t number, Micros now) {
  CHECK(sender != 0, "only numbered writes are remembered");
  const auto at =
      std::find_if(senders_.begin(), senders_.end(), [&](const Sender& known) { return known.id == sender; });
  if (at != senders_.end()) {
    if (!is_silent(*at, now)) return *at;
    drop(at);
  }
  if (senders_.size() == kSendersMax) forget_oldest_sender(now);
  Sender& made = senders_.emplace_back();
  bytes_ += made.bytes();
  made.id = sender;
  made.recorded_at = now - kSenderSilence;
  // Its writes run in the order of their numbers: what it may have written before it was forgotten is below this one.
  if (forgotten_for(now) > 0) made.answered_below = number;
  return made;
}

void SenderLog::forget_oldest_sender(Micros now) {
  const auto oldest = std::min_element(senders_.begin(), senders_.end(),
                                       [](const Sender& a, const Sender& b) { return a.wrote_at < b.wrote_at; });
  if (!is_silent(*oldest, now)) forgotten_until_ = std::max(forgotten_until_, oldest->wrote_at + kSenderSilence);
  drop(oldest);
}

void SenderLog::drop(std::vector<Sender>::iterator sender) {
  bytes_ -= sender->bytes();
  senders_.erase(sender);
}

void SenderLog::drop_silent(Micros now) {
  const size_t before = senders_.size();
  for (size_t place = before; place-- > 0;) {
    const auto at = senders_.begin() + static_cast<ptrdiff_t>(place);
    if (is_silent(*at, now)) drop(at);
  }
  if (senders_.size() != before) senders_.shrink_to_fit();
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

void SenderLog::add(Incarnation sender, uint64_t answered_below, Answer answer, Micros now) {
  CHECK(answer.number != 0, "only numbered writes are remembered");
  Sender& known = sender_for_writing(sender, answer.number, now);
  known.wrote_at = now;
  if (answer.recorded) known.recorded_at = now;
  known.answered_below = std::max(known.answered_below, answered_below);
  bytes_ -= known.bytes();
  known.insert(std::move(answer));
  bytes_ += known.bytes();
}

void SenderLog::record(Incarnation sender, uint64_t number, uint64_t answered_below, Sequence sequence,
                       std::string_view reply, Micros now) {
  add(sender, answered_below, {number, sequence, std::string(kept(reply)), true}, now);
}

void SenderLog::note(Incarnation sender, uint64_t number, uint64_t answered_below, Sequence sequence,
                     std::string_view reply, Micros now) {
  add(sender, answered_below, {number, sequence, std::string(kept(reply)), false}, now);
}

std::vector<protocol::EarlierAnswer> SenderLog::take_unrecorded(Incarnation sender, uint64_t answered_below,
                                                                Micros now) {
  std::vector<protocol::EarlierAnswer> taken;
  for (Sender& known : senders_) {
    if (known.id != sender || known.unrecorded == 0 || is_silent(known, now)) continue;
    for (Answer& answer : known.answers) {
      if (!answer.recorded && answer.number >= answered_below) taken.push_back({answer.number, answer.reply});
      answer.recorded = true;
    }
    known.unrecorded = 0;
  }
  return taken;
}

bool SenderLog::keeps_reply(Incarnation sender, uint64_t number) const {
  return std::any_of(senders_.begin(), senders_.end(), [&](const Sender& known) {
    if (known.id != sender) return false;
    const size_t place = known.place_of(number);
    return place < known.answers.size() && known.answers[place].number == number && !known.answers[place].reply.empty();
  });
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

std::vector<protocol::SenderRecord> SenderLog::records(Micros now) const {
  std::vector<protocol::SenderRecord> records;
  for (const Sender& sender : senders_) {
    const Micros silent_for = now - sender.recorded_at;
    if (silent_for >= kSenderSilence) continue;
    protocol::SenderRecord& record = records.emplace_back();
    record.sender = sender.id;
    record.answered_below = sender.answered_below;
    record.silent_us = silent_for;
    for (const Answer& answer : sender.answers) {
      if (answer.recorded) record.answers.push_back({answer.number, answer.sequence, answer.reply});
    }
  }
  return records;
}

void SenderLog::restore(const std::vector<protocol::SenderRecord>& records, Micros forgotten_for, Micros now) {
  clear();
  if (forgotten_for > 0) forgotten_until_ = now + std::min(forgotten_for, kSenderSilence);
  for (const protocol::SenderRecord& record : records) {
    Sender& sender = senders_.emplace_back();
    sender.id = record.sender;
    sender.answered_below = record.answered_below;
    sender.wrote_at = sender.recorded_at = now - std::clamp<Micros>(record.silent_us, 0, kSenderSilence);
    for (const protocol::SenderAnswer& answer : record.answers) {
      sender.answers.push_back({answer.number, answer.sequence, answer.reply, true});
      sender.reply_bytes += answer.reply.size();
    }
    bytes_ += sender.bytes();
  }
}

}  // namespace chainring::node
