#include "router/dispatcher.h"

#include <algorithm>

#include "base/check.h"
#include "protocol/reply.h"

namespace chainring::router {
namespace {

// A request's storage that is kept for the next one.
constexpr size_t kReusedBytesMax = 4096;

}  // namespace

Dispatcher::Dispatcher(Links& links, Receiver& receiver)
    : links_(links),
      receiver_(receiver),
      queues_(kPlaceCount),
      parking_(kPlaceCount),
      not_run_reply_(protocol::error_reply(protocol::errors::kClusterDown)),
      unknown_reply_(protocol::error_reply(protocol::errors::kOutcomeUnknown)) {}

Outstanding& Dispatcher::keep(const Submission& submission) {
  if (free_.empty()) free_.push_back(&slab_.emplace_back());
  Outstanding& request = *free_.back();
  free_.pop_back();
  request.place = submission.place;
  request.db = submission.db;
  request.flags = submission.flags;
  request.may_have_run = false;
  request.number = 0;
  request.deadline = submission.deadline;
  request.to = submission.to;
  request.bytes.assign(submission.bytes);
  by_deadline_.push_back(request);
  ++outstanding_;
  return request;
}

void Dispatcher::discard(SlotQueue& queue, Outstanding& request) {
  queue.remove(request);
  by_deadline_.erase(by_deadline_.iterator_to(request));
  if (request.bytes.capacity() > kReusedBytesMax) std::string().swap(request.bytes);
  free_.push_back(&request);
  --outstanding_;
}

void Dispatcher::submit(const Submission& submission, Micros now) {
  SlotQueue& queue = queues_[submission.place];
  Outstanding& request = keep(submission);
  queue.append(request);
  Lane* const lane = links_.lane(submission.place);
  if (!queue.parked() && lane != nullptr && lane->open()) {
    if (!queue.waits_for_read(request)) {
      send(queue, request, *lane);
      if (lane->backlog() > kLaneBacklogMax) crowded_ = lane;
      return;
    }
    drain(queue, now);
  }
  parked_bytes_ += request.cost();
  park(queue, now);
}

void Dispatcher::send(SlotQueue& queue, Outstanding& request, Lane& lane) {
  protocol::Request header = queue.header(request.place, request);
  queue.sent(request);
  lane.send(request, protocol::FrameType::request, header, request.bytes);
}

void Dispatcher::wait_again(SlotQueue& queue, Outstanding& request) {
  queue.came_back(request);
  parked_bytes_ += request.cost();
  ++retries_;
}

void Dispatcher::park(SlotQueue& queue, Micros now) {
  if (queue.parked()) return;
  queue.park();
  Parking& parking = parking_of(queue);
  parking.retry.hasten(now);
  parked_.push_back(parking);
}

// What is out is answered before anything more is sent.
void Dispatcher::drain(SlotQueue& queue, Micros now) {
  park(queue, now);
  queue.drain();
}

// Sends what waits, up to a write that has to wait for a read of its client.
void Dispatcher::flow(SlotQueue& queue, Lane& lane, Micros now) {
  unpark(queue);
  for (Outstanding& request : queue.requests()) {
    if (queue.waits_for_read(request)) return drain(queue, now);
    parked_bytes_ -= request.cost();
    send(queue, request, lane);
  }
}

void Dispatcher::unpark(SlotQueue& queue) {
  queue.flow();
  parked_.erase(parked_.iterator_to(parking_of(queue)));
}

void Dispatcher::on_reply(Outstanding& request, const protocol::Reply& reply, std::string_view body, Micros now) {
  SlotQueue& queue = queues_[request.place];
  switch (reply.status) {
    case protocol::ReplyStatus::done:
      if (request.place != kLockPlace && reply.epoch < queue.epoch()) break;  // R5
      if (!request.is_write() && queue.would_overtake(request)) break;
      queue.came_back(request);
      queue.answered(request, request.place == kLockPlace ? 0 : reply.epoch);
      finish(queue, request, Ending::replied, body);
      return go_on(queue, now);
    case protocol::ReplyStatus::expired:  // only what was given up is below the mark
      queue.came_back(request);
      finish(queue, request, Ending::unknown, unknown_reply_);
      return go_on(queue, now);
    case protocol::ReplyStatus::bounced:
    case protocol::ReplyStatus::not_leader:
      wait_again(queue, request);
      park(queue, now);
      if (queue.bounced(request)) parking_of(queue).retry.schedule(now);
      return go_on(queue, now);
    case protocol::ReplyStatus::unsettled:
      queue.bounced(request);  // what is on its way behind it must not be run before it
      break;
  }
  on_lost(request, now);
}

void Dispatcher::on_lost(Outstanding& request, Micros now) {
  SlotQueue& queue = queues_[request.place];
  wait_again(queue, request);
  request.may_have_run = true;
  if (queue.parked()) {
    queue.park();  // a place that was only draining is not known to be served any more
    if (queue.out() == 0) parking_of(queue).retry.schedule(now);
  } else {
    park(queue, now);
  }
  go_on(queue, now);
}

// Does for a parked place what can be done now.
void Dispatcher::go_on(SlotQueue& queue, Micros now) {
  if (!queue.parked()) return;
  if (queue.empty()) return unpark(queue);
  if (!can_probe(queue)) return;
  Lane& lane = *links_.lane(place_of(queue));
  if (queue.serving()) {
    flow(queue, lane, now);
  } else if (const Micros due = parking_of(queue).retry.due(); now >= due) {
    Outstanding& probe = queue.requests().front();
    parked_bytes_ -= probe.cost();
    send(queue, probe, lane);
  } else {
    next_retry_ = std::min(next_retry_, due);
  }
}

// Nothing of it is out, and there is a way to its head. When a way opens or an answer comes, go_on() is called.
bool Dispatcher::can_probe(const SlotQueue& queue) const {
  const Lane* const lane = links_.lane(place_of(queue));
  return queue.out() == 0 && lane != nullptr && lane->open();
}

bool Dispatcher::holds_request_of(session::ClientId client, Place place) const {
  const SlotQueue& queue = queues_[place];
  return queue.parked() && std::any_of(queue.requests().begin(), queue.requests().end(),
                                       [client](const Outstanding& one) { return one.to.ticket.client == client; });
}

bool Dispatcher::waits_for(const Lane& lane) const {
  return std::any_of(by_deadline_.begin(), by_deadline_.end(),
                     [&](const Outstanding& one) { return one.lane == &lane || links_.lane(one.place) == &lane; });
}

void Dispatcher::finish(SlotQueue& queue, Outstanding& request, Ending ending, std::string_view reply) {
  const Recipient to = request.to;
  discard(queue, request);
  receiver_.answered(to, ending, reply);
}

void Dispatcher::retry_all(Micros now) {
  for (auto place = parked_.begin(); place != parked_.end();) {
    Parking& parking = *place++;  // go_on() may take it off the list
    parking.retry.hasten(now);
    go_on(queue_of(parking), now);
  }
}

void Dispatcher::on_open(Micros now) { retry_all(now); }

void Dispatcher::on_table(const ring::Table& table, bool anew, Micros now) {
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    SlotQueue& queue = queues_[slot];
    const Epoch epoch = table.has_ranges() ? table.range(static_cast<Slot>(slot)).epoch : 0;
    if (anew) queue.restart_epochs(epoch);
    queue.learn(epoch);
    if (queue.out() == 0) continue;
    // Another member serves now. The old one can only bounce what it has not executed, or not answer at all.
    Lane* const lane = links_.lane(static_cast<Place>(slot));
    for (Outstanding& request : queue.requests()) {
      if (!request.out() || request.lane == lane) continue;
      request.lane->forget(request);
      wait_again(queue, request);
      request.may_have_run = true;
      park(queue, now);
    }
  }
  retry_all(now);
}

void Dispatcher::give_up(Outstanding& request, Micros now) {
  SlotQueue& queue = queues_[request.place];
  if (request.out()) {
    request.lane->forget(request);
    queue.came_back(request);
    request.may_have_run = true;
  } else {
    parked_bytes_ -= request.cost();
  }
  ++timeouts_;
  const bool unknown = request.is_write() && request.may_have_run;
  finish(queue, request, unknown ? Ending::unknown : Ending::not_run, unknown ? unknown_reply_ : not_run_reply_);
  go_on(queue, now);
}

void Dispatcher::tick(Micros now) {
  while (!by_deadline_.empty() && by_deadline_.front().deadline <= now) give_up(by_deadline_.front(), now);
  if (next_retry_ <= now) retry_due(now);
}

void Dispatcher::retry_due(Micros now) {
  next_retry_ = kNever;
  for (auto place = parked_.begin(); place != parked_.end();) {
    Parking& parking = *place++;  // go_on() may take it off the list
    go_on(queue_of(parking), now);
  }
}

Micros Dispatcher::next_tick() const {
  return by_deadline_.empty() ? next_retry_ : std::min(next_retry_, by_deadline_.front().deadline);
}

}  // namespace chainring::router
