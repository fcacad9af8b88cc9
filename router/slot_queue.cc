#include "router/slot_queue.h"

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
  CHECK(!request.out(), "what is out is taken back before it is removed");
  if (!request.is_write()) --reads_;
  auto next = requests_.erase(requests_.iterator_to(request));
  if (request.number != answered_below_) return;
  // Nothing before it is an unanswered write, so the next one behind it is the lowest; each request is passed once.
  while (next != requests_.end() && !next->is_write()) ++next;
  answered_below_ = next == requests_.end() ? next_number_ : next->number;
}

bool SlotQueue::waits_for_read(const Outstanding& write) const {
  if (reads_ == 0 || !write.is_write()) return false;
  size_t looked_at = 0;
  for (auto before = requests_.iterator_to(write); before != requests_.begin();) {
    --before;
    if (!before->is_write() && before->to.ticket.client == write.to.ticket.client) return true;
    if (++looked_at == kLookBackMax) return true;
  }
  return false;
}

bool SlotQueue::would_overtake(const Outstanding& read) const {
  if (!parked_) return false;
  for (auto before = requests_.iterator_to(read); before != requests_.begin();) {
    --before;
    if (!before->out() && before->to.ticket.client == read.to.ticket.client) return true;
  }
  return false;
}

protocol::Request SlotQueue::header(Place place, const Outstanding& request) const {
  protocol::Request header;
  header.slot = place == kLockPlace ? protocol::kNoSlot : place;
  header.db = request.db;
  header.flags = request.flags;
  header.attempt = attempt_;
  header.epoch = epoch_;
  header.number = request.number;
  header.answered_below = answered_below_;
  return header;
}

void SlotQueue::sent(Outstanding& request) {
  request.attempt = attempt_;
  ++out_;
}

void SlotQueue::came_back(Outstanding& request) {
  CHECK(!request.out() && out_ > 0, "only what was out comes back");
  --out_;
}

bool SlotQueue::bounced(const Outstanding& request) {
  if (request.attempt != attempt_) return false;
  ++attempt_;
  serving_ = false;
  return true;
}

void SlotQueue::answered(const Outstanding& request, Epoch epoch) {
  learn(epoch);
  if (request.attempt == attempt_) serving_ = true;
}

}  // namespace chainring::router
