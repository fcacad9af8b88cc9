#include "node/lock_forward.h"

#include <algorithm>

#include "base/text.h"
#include "protocol/frame.h"
#include "protocol/reply.h"

namespace chainring::node {
namespace {

constexpr std::string_view kNotRun =
    "TRYAGAIN the coordinators have no leader within reach; the command was not executed, try again";

}  // namespace

bool LockForward::submit(const Submission& submission) {
  if (requests_.size() == kRequestsMax || bytes_ + submission.bytes.size() > kRequestBytesMax) return false;
  Request request;
  request.to = submission.to;
  request.db = submission.db;
  request.flags = submission.flags;
  request.deadline = submission.deadline;
  request.bytes = submission.bytes;
  if ((submission.flags & protocol::kRequestWrite) != 0) {
    request.number = next_number_++;
    numbers_.insert(request.number);
  }
  bytes_ += request.bytes.size();
  waiting_.insert(next_id_);
  requests_.emplace(next_id_++, std::move(request));
  return true;
}

void LockForward::send(std::string& out, Micros now) {
  if (waiting_.empty()) return;
  if (doubtful_) {
    const bool probing = waiting_.size() < requests_.size();
    if (probing || now < retry_at_) return;
    const uint64_t first = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    return send_one(out, first, requests_.at(first));
  }
  for (const uint64_t id : waiting_) send_one(out, id, requests_.at(id));
  waiting_.clear();
}

void LockForward::send_one(std::string& out, uint64_t id, Request& request) {
  protocol::Request header;
  header.id = id;
  header.slot = protocol::kNoSlot;
  header.db = request.db;
  header.flags = request.flags;
  header.attempt = request.attempt = attempt_;
  header.number = request.number;
  if (request.number != 0) header.answered_below = *numbers_.begin();
  if (request.number != 0 && request.may_have_run) header.flags |= protocol::kRequestAgain;
  protocol::append_frame(out, protocol::FrameType::request, header, request.bytes);
  request.out = true;
}

void LockForward::wait_again(uint64_t id, Request& request) {
  request.out = false;
  waiting_.insert(id);
}

void LockForward::link_changed() {
  for (auto& [id, request] : requests_) {
    if (!request.out) continue;
    request.may_have_run = true;
    wait_again(id, request);
  }
  retry_at_ = 0;
}

bool LockForward::on_reply(const protocol::Reply& reply, std::string_view body, Micros now) {
  const auto at = requests_.find(reply.id);
  if (at == requests_.end()) return reply.id < next_id_;  // given up
  Request& request = at->second;
  if (!request.out) return false;
  switch (reply.status) {
    case protocol::ReplyStatus::done:
      doubtful_ = false;
      finish(at, body);
      return true;
    case protocol::ReplyStatus::expired:  // it may have run, and its answer is not kept
      doubtful_ = false;
      finish(at, protocol::error_reply(protocol::errors::kOutcomeUnknown));
      return true;
    case protocol::ReplyStatus::unsettled:  // who led has proposed it and leads no more
      request.may_have_run = true;
      break;
    case protocol::ReplyStatus::not_leader:
    case protocol::ReplyStatus::bounced:
    case protocol::ReplyStatus::ask_head:  // never said of locks
      break;
  }
  if (request.attempt == attempt_) ++attempt_;
  wait_again(at->first, request);
  doubtful_ = true;
  retry_at_ = now + kRetryInterval;
  return true;
}

void LockForward::finish(Requests::iterator at, std::string_view reply) {
  const session::Ticket to = at->second.to;
  numbers_.erase(at->second.number);
  waiting_.erase(at->first);
  bytes_ -= at->second.bytes.size();
  requests_.erase(at);
  receiver_.lock_answered(to, reply);
}

void LockForward::tick(Micros now) {
  while (!requests_.empty() && requests_.begin()->second.deadline <= now) {
    const Request& request = requests_.begin()->second;
    const bool unknown = request.number != 0 && (request.out || request.may_have_run);
    finish(requests_.begin(), protocol::error_reply(unknown ? protocol::errors::kOutcomeUnknown : kNotRun));
  }
}

Micros LockForward::next_tick() const {
  if (requests_.empty()) return kNever;
  const Micros deadline = requests_.begin()->second.deadline;
  const bool retries = doubtful_ && waiting_.size() == requests_.size();
  return retries && retry_at_ != 0 ? std::min(deadline, retry_at_) : deadline;
}

}  // namespace chainring::node
