#include "coordinator/answers.h"

#include <algorithm>

#include "base/check.h"
#include "protocol/reply.h"

namespace chainring::coordinator {

std::string LockReply::render(protocol::RespVersion version, Millis now) const {
  if (token == 0) return resp;
  std::string out;
  protocol::ReplyWriter writer(out, version);
  writer.array(2);
  writer.integer(static_cast<int64_t>(token));
  writer.integer(std::max<Millis>(0, deadline - now));
  return out;
}

void Answers::Sender::forget_below(uint64_t number) {
  answered_below = std::max(answered_below, number);
  while (!answers.empty() && answers.begin()->first < answered_below) {
    bytes -= answers.begin()->second.resp.size();
    answers.erase(answers.begin());
  }
}

Answers::Found Answers::find(Incarnation sender, uint64_t number) const {
  const auto known = senders_.find(sender);
  if (known == senders_.end()) return {Verdict::fresh, nullptr};
  const auto answer = known->second.answers.find(number);
  if (answer != known->second.answers.end()) return {Verdict::known, &answer->second};
  return {number < known->second.answered_below ? Verdict::expired : Verdict::fresh, nullptr};
}

void Answers::record(Incarnation sender, uint64_t number, uint64_t answered_below, uint64_t index, LockReply reply) {
  CHECK(sender != 0 && number != 0, "only numbered writes are remembered");
  if (senders_.size() == kSendersMax && !senders_.contains(sender)) {
    senders_.erase(std::min_element(senders_.begin(), senders_.end(), [](const auto& a, const auto& b) {
      return a.second.last_index < b.second.last_index;
    }));
  }
  Sender& known = senders_[sender];
  known.last_index = index;
  known.bytes += reply.resp.size();
  known.answers.emplace(number, std::move(reply));
  known.forget_below(answered_below);
  // The answer that was just given stays, however long it is.
  while (known.answers.size() > 1 && (known.answers.size() > kAnswersMax || known.bytes > kAnswerBytesMax)) {
    known.forget_below(known.answers.begin()->first + 1);
  }
}

const std::map<uint64_t, LockReply>& Answers::of(Incarnation sender) const {
  static const std::map<uint64_t, LockReply> kNone;
  const auto known = senders_.find(sender);
  return known == senders_.end() ? kNone : known->second.answers;
}

uint64_t Answers::answered_below(Incarnation sender) const {
  const auto known = senders_.find(sender);
  return known == senders_.end() ? 0 : known->second.answered_below;
}

void Answers::forget_answers(Incarnation sender) {
  const auto known = senders_.find(sender);
  if (known == senders_.end()) return;
  known->second.answers.clear();
  known->second.bytes = 0;
}

void Answers::write(ByteWriter& out) const {
  out.varint(senders_.size());
  for (const auto& [id, sender] : senders_) {
    out(id, sender.answered_below, sender.last_index);
    out.varint(sender.answers.size());
    for (const auto& [number, reply] : sender.answers) out(number, reply);
  }
}

void Answers::read(ByteReader& in) {
  senders_.clear();
  for (uint64_t left = in.varint(); left > 0 && !in.failed(); --left) {
    Incarnation id = 0;
    in(id);
    Sender& sender = senders_[id];
    in(sender.answered_below, sender.last_index);
    for (uint64_t answers = in.varint(); answers > 0 && !in.failed(); --answers) {
      uint64_t number = 0;
      LockReply reply;
      in(number, reply);
      sender.bytes += reply.resp.size();
      sender.answers.emplace(number, std::move(reply));
    }
  }
}

}  // namespace chainring::coordinator
