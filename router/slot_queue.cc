#include "router/slot_queue.h"

#include <algorithm>

#include "base/check.h"

namespace chainring::router {

void SlotQueue::append(Outstanding& request) {
  if (request.is_write()) {
    request.number = next_number_++;
  } else {
    ++reads_;
  }
  requests_.push_back(request);
}

void SlotQueue::remove(Outstanding& request) {
  CHECK(!request.out() && !request.held, "what is out or held is taken back before it is removed");
  if (!request.is_write()) --reads_;
  auto next = requests_.erase(requests_.iterator_to(request));
  if (request.number != answered_below_) return;
  // Nothing before it is an unanswered write, so the next one behind it is the lowest; each request is passed once.
  while (next != requests_.end() && !next->is_write()) ++next;
  answered_below_ = next == requests_.end() ? next_number_ : next->number;
}

bool SlotQueue::waits_for_read(const Outstanding& write) const {
  if (reads_ == 0 || !write.is_write() || write.alone) return false;
  size_t looked_at = 0;
  for (auto before = requests_.iterator_to(write); before != requests_.begin();) {
    --before;
    if (!before->is_write() && before->to.ticket.client == write.to.ticket.client) return true;
    if (++looked_at == kLookBackMax) return true;
  }
  return false;
}

SlotQueue::Bond SlotQueue::bond(const Outstanding& request) const {
  if (request.alone) return {};
  size_t looked_at = 0;
  for (auto before = requests_.iterator_to(request); before != requests_.begin();) {
    --before;
    if (before->to.ticket.client == request.to.ticket.client && !before->held) {
      if (!before->out()) return {Bond::Kind::waits, nullptr};
      return before->roams ? Bond{Bond::Kind::member, before->lane} : Bond{Bond::Kind::head, nullptr};
    }
    if (++looked_at == kLookBackMax) return {Bond::Kind::waits, nullptr};
  }
  return {};
}

bool SlotQueue::must_wait(const Outstanding& request) const {
  if (request.is_write()) return waits_for_read(request);
  if (roaming_ == 0) return false;  // what is out at the head is executed in the order of its link
  const Bond::Kind kind = bond(request).kind;
  return kind == Bond::Kind::member || kind == Bond::Kind::waits;
}

Outstanding* SlotQueue::first_waiting() {
  const auto found =
      std::find_if(requests_.begin(), requests_.end(), [](const Outstanding& one) { return one.waits(); });
  return found == requests_.end() ? nullptr : &*found;
}

bool SlotQueue::would_overtake(const Outstanding& read) const {
  if (read.alone || (!parked_ && roaming_ == 0)) return false;
  for (auto before = requests_.iterator_to(read); before != requests_.begin();) {
    --before;
    if ((before->waits() || before->roams) && before->to.ticket.client == read.to.ticket.client) return true;
  }
  return false;
}

Outstanding* SlotQueue::own_before(Outstanding& request) {
  if (request.alone) return nullptr;
  for (auto before = requests_.iterator_to(request); before != requests_.begin();) {
    --before;
    if (before->to.ticket.client == request.to.ticket.client) return &*before;
  }
  return nullptr;
}

void SlotQueue::hold(Outstanding& read) {
  Outstanding* const before = own_before(read);
  CHECK(before != nullptr, "an answer is held for an earlier request");
  CHECK(can_hold() && !read.out() && !read.is_write(), "a read that came back is held, within bounds");
  before->holds = true;
  read.held = true;
  ++held_;
}

void SlotQueue::let_go(Outstanding& read) {
  CHECK(read.held && held_ > 0, "what is let go was held");
  read.held = false;
  --held_;
}

Outstanding* SlotQueue::freed_by(Outstanding& request) {
  if (!request.holds) return nullptr;
  if (Outstanding* const before = own_before(request)) {
    before->holds = true;
    return nullptr;
  }
  const auto next = std::find_if(std::next(requests_.iterator_to(request)), requests_.end(), [&](Outstanding& behind) {
    return behind.to.ticket.client == request.to.ticket.client;
  });
  return next != requests_.end() && next->held ? &*next : nullptr;
}

protocol::Request SlotQueue::header(Place place, const Outstanding& request) const {
  protocol::Request header;
  header.slot = place == kLockPlace ? protocol::kNoSlot : place;
  header.db = request.db;
  header.flags = request.roams ? request.flags : request.flags & ~protocol::kRequestAnyMember;
  if (request.is_write() && request.may_have_run) header.flags |= protocol::kRequestAgain;
  header.attempt = attempt_;
  header.epoch = epoch_;
  header.number = request.number;
  header.answered_below = answered_below_;
  return header;
}

void SlotQueue::sent(Outstanding& request) {
  request.attempt = attempt_;
  request.doubts = doubts_;
  ++(request.roams ? roaming_ : out_);
}

void SlotQueue::came_back(Outstanding& request) {
  uint32_t& count = request.roams ? roaming_ : out_;
  CHECK(!request.out() && count > 0, "only what was out comes back");
  --count;
  request.roams = false;
}

bool SlotQueue::bounced(const Outstanding& request) {
  if (request.attempt != attempt_) return false;
  ++attempt_;
  serving_ = false;
  return true;
}

void SlotQueue::answered(const Outstanding& request, Epoch epoch) {
  learn(epoch);
  if (request.doubts == doubts_) settled_doubts_ = doubts_;
  if (request.attempt == attempt_) serving_ = true;
}

}  // namespace chainring::router
