#include "coordinator/answers.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "protocol/reply.h"

namespace chainring::coordinator {
namespace {

size_t counted_bytes(const LockReply& reply) { return reply.resp.size() + Answers::kAnswerOverheadBytes; }

}  // namespace

std::string LockReply::render(protocol::RespVersion version, Millis now) const {
  if (token == 0) return resp;
  std::string out;
  protocol::ReplyWriter writer(out, version);
  writer.array(2);
  writer.integer(static_cast<int64_t>(token));
  writer.integer(std::max<Millis>(0, deadline - now));
  return out;
}

void Answers::keep(Sender& sender, uint64_t number, LockReply reply) {
  const size_t bytes = counted_bytes(reply);
  if (!sender.answers.emplace(number, std::move(reply)).second) return;
  sender.bytes += bytes;
  bytes_ += bytes;
}

void Answers::forget_below(Sender& sender, uint64_t number) {
  sender.answered_below = std::max(sender.answered_below, number);
  while (!sender.answers.empty() && sender.answers.begin()->first < sender.answered_below) {
    const size_t bytes = counted_bytes(sender.answers.begin()->second);
    sender.bytes -= bytes;
    bytes_ -= bytes;
    sender.answers.erase(sender.answers.begin());
  }
}

// All that the sender was answered which wrote longest ago. REQUIRES: there are answers of others than the newest.
void Answers::forget_oldest(const Sender& newest) {
  Sender* oldest = nullptr;
  for (auto& [id, sender] : senders_) {
    if (&sender == &newest || sender.answers.empty()) continue;
    if (oldest == nullptr || sender.last_index < oldest->last_index) oldest = &sender;
  }
  CHECK(oldest != nullptr, "answers are counted");
  forget_below(*oldest, oldest->answers.rbegin()->first + 1);
}

void Answers::forget_oldest_sender() {
  const auto oldest = std::min_element(senders_.begin(), senders_.end(), [](const auto& a, const auto& b) {
    return a.second.last_index < b.second.last_index;
  });
  const auto& [id, sender] = *oldest;
  note_forgotten(id, sender.answered_below);
  if (!sender.answers.empty()) note_forgotten(id, sender.answers.rbegin()->first + 1);
  bytes_ -= sender.bytes;
  senders_.erase(oldest);
}

void Answers::note_forgotten(Incarnation sender, uint64_t number) {
  uint64_t& below = forgotten_below_[place_of(sender)];
  below = std::max(below, number);
}

Answers::Found Answers::find(Incarnation sender, uint64_t number, protocol::Sent sent) const {
  const bool may_have_run = sent == protocol::Sent::again && number < forgotten_below(sender);
  const Found unknown{may_have_run ? Verdict::expired : Verdict::fresh, nullptr};
  const auto known = senders_.find(sender);
  if (known == senders_.end()) return unknown;
  const auto answer = known->second.answers.find(number);
  if (answer != known->second.answers.end()) return {Verdict::known, &answer->second};
  return number < known->second.answered_below ? Found{Verdict::expired, nullptr} : unknown;
}

void Answers::record(Incarnation sender, uint64_t number, uint64_t answered_below, uint64_t index, LockReply reply) {
  CHECK(sender != 0 && number != 0, "only numbered writes are remembered");
  if (senders_.size() == kSendersMax && !senders_.contains(sender)) forget_oldest_sender();
  Sender& known = senders_[sender];
  known.last_index = index;
  keep(known, number, std::move(reply));
  forget_below(known, answered_below);
  // The answer that was just given stays, however long it is.
  while (known.answers.size() > 1 && (known.answers.size() > kAnswersMax || known.bytes > kAnswerBytesMax)) {
    forget_below(known, known.answers.begin()->first + 1);
  }
  while (bytes_ > kAllAnswerBytesMax && bytes_ > known.bytes) forget_oldest(known);
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
  bytes_ -= std::exchange(known->second.bytes, 0);
}

void Answers::write(ByteWriter& out) const {
  out.varint(senders_.size());
  for (const auto& [id, sender] : senders_) {
    out(id, sender.answered_below, sender.last_index);
    out.varint(sender.answers.size());
    for (const auto& [number, reply] : sender.answers) out(number, reply);
  }
  out.varint(kForgottenPlaces - static_cast<size_t>(std::count(forgotten_below_.begin(), forgotten_below_.end(), 0)));
  for (size_t place = 0; place < kForgottenPlaces; ++place) {
    if (forgotten_below_[place] == 0) continue;
    out.varint(place);
    out.varint(forgotten_below_[place]);
  }
}

size_t Answers::snapshot_bytes() const {
  constexpr size_t kNumbersOfSender = 4, kBytesOfMark = 12;
  return (1 + senders_.size() * kNumbersOfSender) * sizeof(uint64_t) + kForgottenPlaces * kBytesOfMark + bytes_;
}

void Answers::read(ByteReader& in) {
  *this = Answers();
  for (uint64_t left = in.varint(); left > 0 && !in.failed(); --left) {
    Incarnation id = 0;
    in(id);
    Sender& sender = senders_[id];
    in(sender.answered_below, sender.last_index);
    for (uint64_t answers = in.varint(); answers > 0 && !in.failed(); --answers) {
      uint64_t number = 0;
      LockReply reply;
      in(number, reply);
      keep(sender, number, std::move(reply));
    }
  }
  for (uint64_t left = in.varint(); left > 0 && !in.failed(); --left) {
    const uint64_t place = in.varint();
    if (place >= kForgottenPlaces) return in.fail();
    forgotten_below_[place] = in.varint();
  }
}

}  // namespace chainring::coordinator
