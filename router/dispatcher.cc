#include "router/dispatcher.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "base/check.h"
#include "protocol/reply.h"
#include "router/reader.h"

namespace chainring::router {
namespace {

// A request's storage that is kept for the next one.
constexpr size_t kReusedBytesMax = 4096;
// Requests of one slot that are under way at once: as many make it a hot one, whose reads the whole chain shares.
constexpr uint32_t kHotFrom = 4;

}  // namespace

Dispatcher::Dispatcher(Links& links, Receiver& receiver, Random& random)
    : links_(links),
      receiver_(receiver),
      random_(random),
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
  request.lost_at.fill(kNoMember);
  request.alone = submission.alone;
  request.holds = false;
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
  if (queue.bond(request).kind == SlotQueue::Bond::Kind::none) request.alone = true;
  if (!roam(queue, request)) line_up(queue, request, now);
  if (request.out() && request.lane->backlog() > kLaneBacklogMax) crowded_ = request.lane->member();
}

void Dispatcher::send(SlotQueue& queue, Outstanding& request, Lane& lane) {
  protocol::Request header = queue.header(request.place, request);
  queue.sent(request);
  if (!request.is_write()) ++(&lane == links_.lane(request.place) ? reads_.at_heads : reads_.at_others);
  lane.send(request, protocol::FrameType::request, header, request.bytes);
}

// In the order of the place, for its head: sent, or parked.
void Dispatcher::line_up(SlotQueue& queue, Outstanding& request, Micros now) {
  Lane* const lane = links_.lane(request.place);
  if (!queue.parked() && lane != nullptr && lane->open()) {
    if (!queue.must_wait(request)) return send(queue, request, *lane);
    drain(queue, now);
  }
  parked_bytes_ += request.cost();
  park(queue, now);
}

// The member to ask for a read, `but` excepted (nullptr: nobody is); nullptr when it has to line up for the head (R10),
// or has nowhere else to go.
Lane* Dispatcher::reader_for(const SlotQueue& queue, const Outstanding& read, const Lane* but) {
  const std::span<Lane* const> chain = links_.chain(read.place);
  if (!read.may_roam() || chain.size() < 2) return nullptr;
  if (queue.doubtful()) return nullptr;
  const SlotQueue::Bond bond = queue.bond(read);
  if (bond.kind == SlotQueue::Bond::Kind::none) {
    const bool hot = queue.out() + queue.roaming() >= kHotFrom;
    return choose_reader(chain, hot ? 0 : read_locality_, but, random_);
  }
  return bond.kind == SlotQueue::Bond::Kind::member && bond.lane != but ? bond.lane : nullptr;
}

// Sends it to a member that may answer it; false when there is none. REQUIRES: neither out nor parked.
bool Dispatcher::roam(SlotQueue& queue, Outstanding& read) {
  Lane* const lane = reader_for(queue, read, nullptr);
  if (lane == nullptr) return false;
  read.roams = true;
  send(queue, read, *lane);
  return true;
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
    if (!request.waits()) continue;
    if (queue.must_wait(request)) return drain(queue, now);
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
  if (request.roams) return on_roaming_reply(queue, request, reply, body, now);
  switch (reply.status) {
    case protocol::ReplyStatus::done:
      if (request.place != kLockPlace && reply.epoch < queue.epoch()) break;  // R5
      if (!request.is_write() && queue.would_overtake(request)) break;
      if (!take_answer(queue, request, request.place == kLockPlace ? 0 : reply.epoch, body)) break;
      return go_on(queue, now);
    case protocol::ReplyStatus::expired:  // it was given up, or may have run and its answer is not kept
      queue.came_back(request);
      finish(queue, request, Ending::unknown, unknown_reply_);
      return go_on(queue, now);
    case protocol::ReplyStatus::bounced:
    case protocol::ReplyStatus::not_leader:
      take_back(queue, request);
      parked_bytes_ += request.cost();
      park(queue, now);
      follow(queue, request, now);
      if (queue.bounced(request)) parking_of(queue).retry.schedule(now);
      return go_on(queue, now);
    case protocol::ReplyStatus::ask_head:  // of what is sent for any member alone
    case protocol::ReplyStatus::unsettled:
      queue.bounced(request);  // what is on its way behind it must not be run before it
      break;
  }
  take_back(queue, request);
  run_again(queue, request, now);
}

void Dispatcher::on_roaming_reply(SlotQueue& queue, Outstanding& read, const protocol::Reply& reply,
                                  std::string_view body, Micros now) {
  const bool done = reply.status == protocol::ReplyStatus::done && reply.epoch >= queue.epoch();  // R5
  if (!done || !take_answer(queue, read, reply.epoch, body)) {
    if (reply.status == protocol::ReplyStatus::ask_head) ++reads_.referred;
    refer_to_head(queue, read, now);
  }
  go_on(queue, now);
}

// Gives the answer to whoever waits for it. That of a read is held while its client's earlier requests of the slot are
// not answered: of those one may come back and be run again, and would tell of a later state than the read does (R10).
// The client loses nothing by it, as it gets its answers in its order. False when no more can be held.
bool Dispatcher::take_answer(SlotQueue& queue, Outstanding& request, Epoch epoch, std::string_view reply) {
  const bool early = !request.is_write() && is_early(queue, request);
  if (early && (!queue.can_hold() || held_bytes_ + reply.size() > kHeldBytesMax)) return false;
  const bool roamed = request.roams;
  queue.came_back(request);
  if (roamed) {
    queue.learn(epoch);
  } else {
    queue.answered(request, epoch);
  }
  if (early) {
    queue.hold(request);
    request.answer.assign(reply);
    held_bytes_ += reply.size();
  } else {
    finish(queue, request, Ending::replied, reply);
  }
  return true;
}

bool Dispatcher::is_early(SlotQueue& queue, Outstanding& read) const {
  if (read.alone || &queue.requests().front() == &read) return false;
  return !receiver_.is_next(read.to) && queue.own_before(read) != nullptr;
}

std::string Dispatcher::let_go(SlotQueue& queue, Outstanding& read) {
  queue.let_go(read);
  held_bytes_ -= read.answer.size();
  return std::exchange(read.answer, {});
}

// Lines up for the head, and so do its client's reads behind it that are out at that member, or were answered there:
// what it tells of them would be older than what the head tells now.
void Dispatcher::refer_to_head(SlotQueue& queue, Outstanding& read, Micros now) {
  const session::ClientId client = read.to.ticket.client;
  for (auto at = queue.requests().iterator_to(read); at != queue.requests().end(); ++at) {
    if (at->to.ticket.client != client || !(at->roams || at->held)) continue;
    take_back(queue, *at);
    line_up(queue, *at, now);
  }
}

// Of what is out, or whose answer is held: the answer will be ignored. It is to be sent again, and then whatever is
// held behind it must follow.
void Dispatcher::take_back(SlotQueue& queue, Outstanding& request) {
  ++retries_;
  if (request.held) return static_cast<void>(let_go(queue, request));
  if (request.out()) request.lane->forget(request);
  queue.came_back(request);
}

// What was taken back has been sent again or waits: so must what its client asked next and was not told yet. Up to the
// next read that is not answered, whose own turn comes: it does not stay where it is, or its answer is not taken.
void Dispatcher::follow(SlotQueue& queue, Outstanding& request, Micros now) {
  if (!queue.holds_any()) return;
  for (auto at = std::next(queue.requests().iterator_to(request)); at != queue.requests().end(); ++at) {
    if (at->to.ticket.client != request.to.ticket.client) continue;
    if (at->is_write()) continue;
    if (!at->held) return;
    take_back(queue, *at);
    if (at->was_lost() || !roam(queue, *at)) line_up(queue, *at, now);
  }
}

// Once: what made two members silent is not tried at a third. What goes elsewhere takes along whatever its client asked
// behind it, which waits for the head when nobody else may answer.
void Dispatcher::on_silent(Lane& lane, Micros now) {
  std::set<std::pair<Place, session::ClientId>> moved;
  for (InFlight* const item : lane.in_flight()) {
    if (item->kind != InFlight::Kind::request || item->lane != &lane) continue;
    auto& read = static_cast<Outstanding&>(*item);
    SlotQueue& queue = queues_[read.place];
    const std::pair whose(read.place, read.to.ticket.client);
    const bool follows = moved.contains(whose);
    if (read.is_write() || (read.was_lost() && !follows)) continue;
    if (links_.lane(read.place) != &lane) {
      if (!read.roams) continue;
      read.lost(lane.member());
      refer_to_head(queue, read, now);
    } else {
      Lane* const other = read.was_lost() ? nullptr : reader_for(queue, read, &lane);
      if (other == nullptr && !follows) continue;
      read.lost(lane.member());
      take_back(queue, read);
      if (other != nullptr) {
        read.roams = true;
        send(queue, read, *other);
      } else {
        line_up(queue, read, now);
      }
      follow(queue, read, now);
      moved.insert(whose);
    }
    go_on(queue, now);
  }
}

void Dispatcher::on_lost(Outstanding& request, const Lane& lane, Micros now) {
  SlotQueue& queue = queues_[request.place];
  const bool roamed = request.roams;
  const bool may_roam = !request.was_lost() && links_.lane(request.place) == &lane;
  take_back(queue, request);
  if (!links_.has_lapsed(lane.member())) request.lost(lane.member());
  if (!may_roam || !roam(queue, request)) {
    if (!roamed) return run_again(queue, request, now);
    line_up(queue, request, now);
  }
  follow(queue, request, now);
  go_on(queue, now);
}

// What two members lapsed under may be what stopped them, and is not tried again (R13). Who says nothing while others
// serve the place without it is about to lapse, or is found to live on: that is waited for.
Dispatcher::Fate Dispatcher::fate_of(const Outstanding& request, Micros now) const {
  Fate fate = Fate::deadly;
  for (const MemberId member : request.lost_at) {
    if (member == kNoMember) return Fate::goes_on;
    if (links_.has_lapsed(member)) continue;
    const bool replaced = links_.lane(request.place) != links_.member_lane(member);
    if (!replaced || !links_.may_be_about_to_lapse(member, now)) return Fate::goes_on;
    fate = Fate::in_doubt;
  }
  return fate;
}

// What was out in the order of the place, and has been taken back.
void Dispatcher::run_again(SlotQueue& queue, Outstanding& request, Micros now) {
  parked_bytes_ += request.cost();
  request.may_have_run = true;
  if (queue.parked()) {
    queue.park();  // a place that was only draining is not known to be served any more
    if (queue.out() == 0) parking_of(queue).retry.schedule(now);
  } else {
    park(queue, now);
  }
  follow(queue, request, now);
  go_on(queue, now);
}

// Does for a parked place what can be done now.
void Dispatcher::go_on(SlotQueue& queue, Micros now) {
  if (!queue.parked()) return;
  if (queue.out() > 0) return;  // when that comes back, this is called again
  Outstanding* const first = queue.first_waiting();
  if (first == nullptr) return unpark(queue);
  Lane* const lane = links_.lane(place_of(queue));
  if (lane == nullptr || !lane->open() || queue.must_wait(*first)) return;
  for (Outstanding& request : queue.requests()) {
    const Fate fate = request.waits() ? fate_of(request, now) : Fate::goes_on;
    if (fate == Fate::deadly) return give_up(request, now);  // and goes on
    if (fate == Fate::in_doubt) return look_again(queue, now);
  }
  if (queue.serving()) {
    flow(queue, *lane, now);
  } else if (const Micros due = parking_of(queue).retry.due(); now >= due) {
    parked_bytes_ -= first->cost();
    send(queue, *first, *lane);
  } else {
    next_retry_ = std::min(next_retry_, due);
  }
}

void Dispatcher::look_again(SlotQueue& queue, Micros now) {
  RetryTimer& retry = parking_of(queue).retry;
  if (now >= retry.due() || retry.due() == kNever) retry.schedule(now);
  next_retry_ = std::min(next_retry_, retry.due());
}

bool Dispatcher::waits_for(const Lane& lane) const {
  return std::any_of(by_deadline_.begin(), by_deadline_.end(),
                     [&](const Outstanding& one) { return one.lane == &lane || links_.lane(one.place) == &lane; });
}

void Dispatcher::finish(SlotQueue& queue, Outstanding& request, Ending ending, std::string_view reply) {
  const Recipient to = request.to;
  Outstanding* freed = queue.freed_by(request);
  discard(queue, request);
  receiver_.answered(to, ending, reply);
  while (freed != nullptr) {
    Outstanding& read = *freed;
    freed = queue.freed_by(read);
    const Recipient reader = read.to;
    const std::string answer = let_go(queue, read);
    discard(queue, read);
    receiver_.answered(reader, Ending::replied, answer);
  }
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
    if (queue.out() + queue.roaming() > 0) follow_chain(queue, now);
  }
  retry_all(now);
}

// Takes back what is out at members that do not serve it any more. They can only bounce what they have not executed, or
// not answer at all.
void Dispatcher::follow_chain(SlotQueue& queue, Micros now) {
  const std::span<Lane* const> chain = links_.chain(place_of(queue));
  Lane* const head = chain.empty() ? nullptr : chain.front();
  for (Outstanding& request : queue.requests()) {
    if (!request.out() || request.lane == head) continue;
    const bool roamed = request.roams;
    if (roamed && std::find(chain.begin(), chain.end(), request.lane) != chain.end()) continue;
    const MemberId member = request.lane->member();
    if (request.lane->silent() || links_.has_lapsed(member)) request.lost(member);
    take_back(queue, request);
    if (request.was_lost() || !roam(queue, request)) {
      request.may_have_run = true;
      parked_bytes_ += request.cost();
      park(queue, now);
    }
    follow(queue, request, now);
  }
}

void Dispatcher::give_up(Outstanding& request, Micros now) {
  SlotQueue& queue = queues_[request.place];
  CHECK(!request.held, "what an answer is held for is given up before it");
  if (request.out()) {
    request.lane->forget(request);
    queue.came_back(request);
    request.may_have_run = true;
  } else {
    parked_bytes_ -= request.cost();
  }
  ++timeouts_;
  const bool unknown = request.is_write() && request.may_have_run;
  if (unknown) queue.doubt();
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
