#include "node/held.h"

#include <utility>

namespace chainring::node {

void HeldReplies::insert(Slot slot, Held held) {
  Fifo<Held>& queue = slots_[slot];
  size_t place = queue.size();
  while (place > 0 && queue[place - 1].needs > held.needs) --place;  // most rest on the newest record
  queue.insert(place, std::move(held));
  ++count_;
}

void HeldReplies::hold(Slot slot, Sequence needs, const Destination& to, std::string reply) {
  insert(slot, Held{needs, 0, to, std::move(reply)});
}

void HeldReplies::hold_all(std::span<const std::pair<Slot, Sequence>> needs, std::vector<Slot> at_once,
                           const Destination& to, std::string reply) {
  CHECK(!needs.empty(), "a reply that waits for nothing is not held");
  const uint64_t group = ++last_group_;
  groups_[group] = Group{needs.size(), std::move(at_once), to, std::move(reply)};
  for (const auto& [slot, sequence] : needs) insert(slot, Held{sequence, group, {}, {}});
}

void HeldReplies::committed(Slot slot, Sequence sequence, Sink& sink) {
  Fifo<Held>& queue = slots_[slot];
  while (!queue.empty() && queue.front().needs <= sequence) {
    const Held held = std::move(queue.front());
    queue.pop_front();
    --count_;
    release(slot, held, sink);
  }
}

void HeldReplies::dropped(Slot slot, bool outlived, Sink& sink) {
  Fifo<Held> queue = std::exchange(slots_[slot], {});
  count_ -= queue.size();
  for (const Held& held : queue) {
    if (outlived) {
      release(slot, held, sink);
    } else if (held.group == 0) {
      sink.unsettled(slot, held.to);
    } else {
      settle_group(held.group, slot, false, sink);
    }
  }
}

void HeldReplies::release(Slot slot, const Held& held, Sink& sink) {
  if (held.group == 0) {
    sink.release(slot, held.to, held.reply);
  } else {
    settle_group(held.group, slot, true, sink);
  }
}

void HeldReplies::settle_group(uint64_t group, Slot slot, bool committed, Sink& sink) {
  const auto at = groups_.find(group);
  CHECK(at != groups_.end(), "a group lives until its last slot is settled");
  if (committed) at->second.settled.push_back(slot);
  if (--at->second.waiting != 0) return;
  const Group done = std::move(at->second);
  groups_.erase(at);
  sink.release_all(done.to, done.settled, done.reply);
}

}  // namespace chainring::node
