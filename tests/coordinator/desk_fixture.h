// The leader's desk, with a log that commits when the test says so, and rounds that are confirmed when it says so.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coordinator/lock_desk.h"
#include "tests/coordinator/lock_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {

struct DeskFixture : LockDesk::Log, LockDesk::Sink {
  DeskFixture() {
    REQUIRE(state.apply(1, encode_entry(found_entry())).ok());
    desk.lead(0, now);
  }

  Result<uint64_t> propose(std::string entry) override {
    if (!accepting) return Status(refusal, "not now");
    log.push_back(std::move(entry));
    return first_index + log.size() - 1;
  }
  void answer(const Origin& origin, protocol::ReplyStatus status, std::string_view body) override {
    REQUIRE_FALSE(answers.contains(origin.request));
    answers[origin.request] = {status, std::string(body)};
  }
  void outcome_unknown(const Origin& origin) override { unknown.insert(origin.request); }

  // Commits what was proposed, in order.
  void commit(size_t entries = SIZE_MAX) {
    for (; committed < log.size() && entries > 0; ++committed, --entries) {
      const uint64_t index = first_index + committed;
      const Result<Applied> applied = state.apply(index, log[committed]);
      REQUIRE(applied.ok());
      desk.applied(index, *applied);
    }
  }
  void confirm() { desk.confirmed(desk.take_round()); }

  // Hands a command in; the id names its answer.
  uint64_t submit(std::string_view line, uint64_t number = 0, uint64_t answered_below = 0) {
    const std::vector<std::string> owned = words(line);
    const std::vector<std::string_view> args(owned.begin(), owned.end());
    return take_in(LockRequest(origin(), *protocol::find_command(args), args), number, answered_below);
  }
  uint64_t submit_transaction(const std::vector<std::string_view>& lines, std::vector<std::string> marks = {},
                              uint64_t number = 0) {
    return take_in(LockRequest(origin(), transaction_payload(lines, std::move(marks))), number, 0);
  }
  std::string run(std::string_view line, uint64_t number = 0) {
    const uint64_t id = submit(line, number);
    confirm();
    commit();
    REQUIRE(answers.contains(id));
    REQUIRE(answers[id].first == protocol::ReplyStatus::done);
    return answers[id].second;
  }
  void pass(Millis ms) {
    now.mono += ms * kMicrosPerMilli;
    now.wall += ms;
    desk.tick(now);
  }

  Origin origin() { return {link, ++requests, {client, requests}, 0}; }
  uint64_t take_in(LockRequest request, uint64_t number, uint64_t answered_below) {
    if (number != 0) request.sender = sender;
    request.number = number;
    request.answered_below = answered_below;
    request.sent = sent;
    desk.submit(std::move(request));
    return requests;
  }

  ConnId link = 5;
  session::ClientId client = 0;  // with no link: who is connected here
  Incarnation sender = 77;       // of what has a number
  protocol::Sent sent = protocol::Sent::once;
  State state;
  SeededRandom random{1};
  LockDesk desk{state, *this, *this, random};
  Now now{10'000'000, 1'700'000'000'000};
  std::vector<std::string> log;
  uint64_t first_index = 2;
  size_t committed = 0;
  bool accepting = true;
  ErrorCode refusal = ErrorCode::resource_exhausted;
  uint64_t requests = 0;  // so far; the last one's id
  std::map<uint64_t, std::pair<protocol::ReplyStatus, std::string>> answers;
  std::set<uint64_t> unknown;
};

}  // namespace chainring::coordinator
