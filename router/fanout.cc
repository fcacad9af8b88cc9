#include "router/fanout.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "protocol/runs.h"

namespace chainring::router {
namespace {

using protocol::CommandId;

WideMerge::Kind merge_of(CommandId command) {
  switch (command) {
    case CommandId::dbsize:
      return WideMerge::Kind::sum;
    case CommandId::keys:
      return WideMerge::Kind::concat;
    default:
      break;
  }
  CHECK(command == CommandId::randomkey, "no other command reads all slots");
  return WideMerge::Kind::choice;
}

template <class Visit>
void for_each_slot(const std::vector<protocol::SlotRange>& ranges, Visit&& visit) {
  for (const protocol::SlotRange& range : ranges) {
    const uint32_t last = std::min<uint32_t>(range.last, kSlotCount - 1);
    for (uint32_t slot = range.first; slot <= last; ++slot) visit(static_cast<Slot>(slot));
  }
}

}  // namespace

Fanout::Fanout(Services& services, const session::ClientRequest& request, Micros deadline)
    : Operation(services, request, deadline),
      bytes_(request.bytes),
      merge_(merge_of(request.command->id), request.resp) {
  open_.set();
}

void Fanout::start(Micros now) {
  submit_leg(0, kLockPlace, Leg::read, bytes_, now);
  ask();
  if (asked_ != open_) retry_.schedule(now);
}

// One call to each open head for what is open and not asked for yet.
void Fanout::ask() {
  std::map<Lane*, std::vector<protocol::SlotRange>> slots_of;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (!open_[slot] || asked_[slot]) continue;
    Lane* const lane = services_.links.lane(static_cast<Place>(slot));
    if (lane == nullptr || !lane->open()) continue;
    protocol::append_run(slots_of[lane], {static_cast<Slot>(slot), static_cast<Slot>(slot)});
    asked_.set(slot);
  }
  for (auto& [lane, slots] : slots_of) send_call(*lane, 0, std::move(slots), bytes_);
}

void Fanout::put_back(const SlotsCall& call) {
  for_each_slot(call.slots, [this](Slot slot) { asked_.reset(slot); });
}

// Returns how many slots the call has settled.
uint32_t Fanout::settle(const SlotsCall& call, const protocol::SlotsReply& reply) {
  SlotSet answered;
  for_each_slot(reply.answered, [&](Slot slot) { answered.set(slot); });
  SlotSet called;
  for_each_slot(call.slots, [&](Slot slot) { called.set(slot); });
  answered &= called;  // a head does not answer for what it was not asked for
  open_ &= ~answered;
  return static_cast<uint32_t>(answered.count());
}

void Fanout::call_answered(SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body, Micros now) {
  put_back(call);
  const uint32_t settled = settle(call, reply);
  if (settled > 0) {
    take(body, settled);
    // A node answers for as many slots as it can in a turn (R13): the next ones at once.
    if (!answered() && asked_ != open_) return retry_.hasten(now);
  }
  if (!answered() && asked_ != open_ && retry_.due() == kNever) retry_.schedule(now);
}

void Fanout::call_lost(SlotsCall& call, Micros now) {
  put_back(call);
  if (retry_.due() == kNever) retry_.schedule(now);
}

void Fanout::leg_ended(uint32_t, Ending ending, std::string_view reply, Micros) {
  if (ending != Ending::replied) return answer(reply);
  locks_open_ = false;
  take(reply, 1);
}

void Fanout::take(std::string_view reply, uint32_t weight) {
  const bool fits = merge_.add(reply, weight, services_.random);
  if (!fits || (open_.none() && !locks_open_)) answer(merge_.take());
}

void Fanout::abandon_moved_calls() {
  for (SlotsCall& call : calls()) {
    if (call.lane == nullptr) continue;
    bool moved = false;
    for_each_slot(call.slots, [&](Slot slot) { moved = moved || services_.links.lane(slot) != call.lane; });
    if (!moved) continue;
    call.lane->forget(call);
    put_back(call);
  }
}

void Fanout::try_again(Micros now) {
  abandon_moved_calls();
  retry_.stop();
  ask();
  if (asked_ != open_) retry_.schedule(now);
}

void Fanout::time_passed(Micros now) {
  if (now >= deadline_) return answer_error(protocol::errors::kClusterDown);
  ask();
  if (asked_ == open_) return retry_.stop();
  retry_.schedule(now);
}

Micros Fanout::next_attempt() const { return std::min(deadline_, retry_.due()); }

}  // namespace chainring::router
