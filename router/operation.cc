#include "router/operation.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "protocol/resp.h"

namespace chainring::router {
Operation::~Operation() { forget_calls(); }

void Operation::forget_calls() {
  for (SlotsCall& call : calls_) {
    if (call.lane != nullptr) call.lane->forget(call);
  }
}

void Operation::end_leg(uint32_t leg, Ending ending, std::string_view reply, Micros now) {
  CHECK(open_legs_ > 0, "each leg ends once");
  --open_legs_;
  if (!answered_) leg_ended(leg, ending, reply, now);
}

void Operation::answer_call(SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body, Micros now) {
  if (!answered_) call_answered(call, reply, body, now);
}

void Operation::lose_call(SlotsCall& call, Micros now) {
  if (!answered_) call_lost(call, now);
}

void Operation::retry(Micros now) {
  if (!answered_) try_again(now);
}

void Operation::tick(Micros now) {
  if (!answered_) time_passed(now);
}

void Operation::answer(std::string_view reply) {
  CHECK(!answered_, "an operation is answered once");
  answered_ = true;
  forget_calls();
  services_.clients.complete(ticket_, reply);
}

void Operation::answer_error(std::string_view text) {
  std::string reply;
  protocol::ReplyWriter(reply, resp_).error(text);
  answer(reply);
}

uint8_t Operation::flags(bool write) const { return protocol::request_flags(resp_, write); }

void Operation::submit_leg(uint32_t leg, Place place, Leg kind, std::string_view bytes, Micros now) {
  ++open_legs_;
  uint8_t leg_flags = flags(kind == Leg::write);
  if (kind == Leg::read_anywhere) leg_flags |= protocol::kRequestAnyMember;
  services_.dispatcher.submit({place, db_, leg_flags, bytes, Recipient{ticket_, this, leg}, deadline_, alone_}, now);
}

void Operation::send_call(Lane& lane, uint32_t tag, std::vector<protocol::SlotRange> slots, std::string_view bytes) {
  auto call = std::find_if(calls_.begin(), calls_.end(), [](const SlotsCall& one) { return one.lane == nullptr; });
  if (call == calls_.end()) {
    calls_.emplace_back();
    call = std::prev(calls_.end());
  }
  call->owner = this;
  call->tag = tag;
  call->slots = std::move(slots);
  protocol::SlotsRequest header;
  header.db = db_;
  header.flags = flags(false);
  header.slots = call->slots;
  lane.send(*call, protocol::FrameType::slots_request, header, bytes);
}

std::string request_bytes(std::span<const std::string_view> args) {
  std::string bytes;
  protocol::append_request(bytes, args);
  return bytes;
}

}  // namespace chainring::router
