#include "node/held.h"

#include <utility>

#include "base/check.h"

namespace chainring::node {
namespace {

bool is_client(const Destination& to) { return to.link == kNoConn; }

}  // namespace

HeldReplies::Queue::iterator HeldReplies::insert(Slot slot, Sequence needs, Held held) {
  ++count_;
  bytes_ += sizeof(Held) + held.reply.size();
  Queue& queue = slots_[slot];
  return queue.emplace_hint(queue.end(), needs, std::move(held));  // most rest on the newest record
}

HeldReplies::Held HeldReplies::take(Slot slot, Queue::iterator at) {
  Held held = std::move(at->second);
  slots_[slot].erase(at);
  --count_;
  bytes_ -= sizeof(Held) + held.reply.size();
  return held;
}

void HeldReplies::note_client(const Destination& to, const Place& place) {
  if (!is_client(to)) return;
  clients_.emplace_hint(clients_.end(), Age{to.came_at, to.ticket.client, to.ticket.place}, place);
}

void HeldReplies::forget_client(const Destination& to) {
  if (is_client(to)) clients_.erase(Age{to.came_at, to.ticket.client, to.ticket.place});
}

void HeldReplies::hold(Slot slot, Sequence needs, const Destination& to, std::string reply) {
  note_client(to, {slot, insert(slot, needs, Held{0, to, std::move(reply)}), 0});
}

void HeldReplies::hold_all(std::span<const std::pair<Slot, Sequence>> needs, std::vector<Slot> at_once,
                           const Destination& to, std::string reply) {
  CHECK(!needs.empty(), "a reply that waits for nothing is not held");
  const uint64_t id = ++last_group_;
  Group& group = groups_[id];
  group.settled = std::move(at_once);
  group.to = to;
  group.reply = std::move(reply);
  bytes_ += group.reply.size();
  for (const auto& [slot, sequence] : needs) {
    group.waiting.emplace_hint(group.waiting.end(), slot, insert(slot, sequence, Held{id, {}, {}}));
  }
  note_client(to, {needs.front().first, {}, id});
}

void HeldReplies::committed(Slot slot, Sequence sequence, Sink& sink) {
  Queue& queue = slots_[slot];
  while (!queue.empty() && queue.begin()->first <= sequence) settle(slot, take(slot, queue.begin()), true, sink);
}

void HeldReplies::dropped(Slot slot, bool outlived, Sink& sink) {
  Queue& queue = slots_[slot];
  while (!queue.empty()) settle(slot, take(slot, queue.begin()), outlived, sink);
}

void HeldReplies::settle(Slot slot, const Held& held, bool survived, Sink& sink) {
  if (held.group != 0) return settle_in_group(held.group, slot, survived, sink);
  forget_client(held.to);
  if (survived) {
    sink.release(slot, held.to, held.reply);
  } else {
    sink.unsettled(slot, held.to);
  }
}

void HeldReplies::settle_in_group(uint64_t group, Slot slot, bool survived, Sink& sink) {
  const auto at = groups_.find(group);
  CHECK(at != groups_.end(), "a group lives until its last slot is settled");
  at->second.waiting.erase(slot);
  if (survived) {
    at->second.settled.push_back(slot);
  } else {
    at->second.lost = true;
  }
  if (!at->second.waiting.empty()) return;
  const Group done = take_group(group);
  forget_client(done.to);
  // A client means all slots, and asks for none of them again.
  if (done.lost && is_client(done.to)) return sink.unsettled(slot, done.to);
  sink.release_all(done.to, done.settled, done.reply);
}

HeldReplies::Group HeldReplies::take_group(uint64_t group) {
  const auto at = groups_.find(group);
  CHECK(at != groups_.end(), "a group lives until it is taken");
  Group taken = std::move(at->second);
  groups_.erase(at);
  bytes_ -= taken.reply.size();
  for (const auto& [slot, held] : taken.waiting) static_cast<void>(take(slot, held));
  return taken;
}

Micros HeldReplies::oldest_of_clients() const {
  return clients_.empty() ? kNever : std::get<Micros>(clients_.begin()->first);
}

void HeldReplies::give_up_clients(Micros came_by, Sink& sink) {
  while (!clients_.empty() && oldest_of_clients() <= came_by) {
    const Place place = clients_.begin()->second;
    clients_.erase(clients_.begin());
    const Destination to = place.group == 0 ? take(place.slot, place.held).to : take_group(place.group).to;
    sink.unsettled(place.slot, to);
  }
}

}  // namespace chainring::node
