// The judge is itself judged: histories that are linearizable, and some that are not.
#include "tests/sim/history.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::sim;

namespace {

using Kind = Operation::Kind;

Operation op(size_t client, Kind kind, Micros called, Micros returned, std::string argument,
             std::optional<std::string> result = std::nullopt) {
  Operation operation;
  operation.client = client;
  operation.place = static_cast<uint64_t>(called);
  operation.key = "k";
  operation.kind = kind;
  operation.argument = std::move(argument);
  operation.called = called;
  operation.returned = returned;
  operation.outcome = Operation::Outcome::returned;
  operation.result = std::move(result);
  return operation;
}

// A SET or PEXPIRE whose key is gone between 80 and 120 after it has happened.
Operation expiring(Operation operation) {
  operation.ttl_least = 80;
  operation.ttl_most = 120;
  return operation;
}

Operation unknown(Operation operation) {
  operation.outcome = Operation::Outcome::unknown;
  operation.returned = kNever;
  return operation;
}

bool fine(std::vector<Operation> operations) { return judge(std::move(operations), 100'000).linearizable; }

Grant grant(std::string owner, int64_t token, Micros called, Micros returned, Micros given_back) {
  return {.key = "lock:a",
          .owner = std::move(owner),
          .token = token,
          .called = called,
          .returned = returned,
          .ttl = 100 * kMicrosPerMilli,
          .given_back = given_back};
}

// The key is lost at some moment between 50 and 60.
bool fine_after_loss(std::vector<Operation> operations) {
  add_loss("k", {50, 60, true}, operations);
  return fine(std::move(operations));
}

}  // namespace

TEST_CASE("judge: a plain history is linearizable") {
  CHECK(fine({op(1, Kind::set, 1, 2, "a"), op(2, Kind::get, 3, 4, "", "a"), op(1, Kind::getdel, 5, 6, "", "a"),
              op(2, Kind::get, 7, 8, "", std::nullopt)}));
}

TEST_CASE("judge: a lost acknowledged write is found") {
  CHECK_FALSE(fine({op(1, Kind::set, 1, 2, "a"), op(2, Kind::get, 3, 4, "", std::nullopt)}));
}

TEST_CASE("judge: a stale read is found") {
  CHECK_FALSE(fine({op(1, Kind::set, 1, 2, "a"), op(1, Kind::set, 3, 4, "b"), op(2, Kind::get, 5, 6, "", "a")}));
}

TEST_CASE("judge: a read that goes back after another has seen the new value is found") {
  CHECK_FALSE(fine({op(1, Kind::set, 1, 2, "a"), op(1, Kind::set, 3, 20, "b"), op(2, Kind::get, 5, 6, "", "b"),
                    op(3, Kind::get, 7, 8, "", "a")}));
}

TEST_CASE("judge: concurrent operations may come in either order") {
  CHECK(fine({op(1, Kind::set, 1, 10, "a"), op(2, Kind::set, 1, 10, "b"), op(3, Kind::get, 11, 12, "", "a")}));
  CHECK(fine({op(1, Kind::set, 1, 10, "a"), op(2, Kind::set, 1, 10, "b"), op(3, Kind::get, 11, 12, "", "b")}));
}

TEST_CASE("judge: a counter that ran an increment twice, or lost one, is found") {
  CHECK(fine({op(1, Kind::incr, 1, 2, "", "1"), op(2, Kind::incr, 3, 4, "", "2")}));
  CHECK_FALSE(fine({op(1, Kind::incr, 1, 2, "", "1"), op(2, Kind::incr, 3, 4, "", "3")}));
  CHECK_FALSE(fine({op(1, Kind::incr, 1, 2, "", "1"), op(2, Kind::incr, 3, 4, "", "1")}));
}

TEST_CASE("judge: an operation of unknown outcome may have happened, late, or not at all") {
  const auto lost = unknown(op(1, Kind::set, 1, 2, "a"));
  CHECK(fine({lost, op(2, Kind::get, 50, 51, "", "a")}));
  CHECK(fine({lost, op(2, Kind::get, 50, 51, "", std::nullopt)}));
  CHECK(fine({lost, op(2, Kind::get, 3, 4, "", std::nullopt), op(2, Kind::get, 50, 51, "", "a")}));
  CHECK_FALSE(fine({lost, op(2, Kind::get, 3, 4, "", "a"), op(2, Kind::get, 50, 51, "", std::nullopt)}));
}

TEST_CASE("judge: what was given up does not happen behind what its sender was told of later (R20)") {
  auto given_up = unknown(op(1, Kind::set, 1, 2, "a"));
  const auto next = op(1, Kind::set, 10, 20, "b");
  const auto reads = [&](std::string value) {
    return std::vector{given_up, next, op(2, Kind::get, 30, 40, "", std::move(value))};
  };
  CHECK(fine(reads("a")));
  given_up.not_behind = next.place;
  CHECK_FALSE(fine(reads("a")));
  CHECK(fine(reads("b")));
  CHECK(fine({given_up, op(2, Kind::get, 5, 8, "", "a"), next, op(2, Kind::get, 30, 40, "", "b")}));
  CHECK(fine({given_up, op(2, Kind::get, 12, 18, "", "a"), next}));
}

TEST_CASE("judge: two winners of SET NX are found") {
  CHECK_FALSE(fine({op(1, Kind::set_nx, 1, 10, "a", "1"), op(2, Kind::set_nx, 1, 10, "b", "1")}));
  CHECK(fine({op(1, Kind::set_nx, 1, 10, "a", "1"), op(2, Kind::set_nx, 1, 10, "b", "0")}));
}

TEST_CASE("judge: a client's pipelined operations keep their order") {
  auto first = op(1, Kind::set, 1, 10, "a"), second = op(1, Kind::set, 1, 10, "b");
  first.place = 1;
  second.place = 2;
  CHECK(fine({first, second, op(2, Kind::get, 11, 12, "", "b")}));
  CHECK_FALSE(fine({first, second, op(2, Kind::get, 11, 12, "", "a")}));
}

TEST_CASE("judge_grants: locks that are held one after another are fine") {
  CHECK_FALSE(judge_grants({grant("x", 7, 10, 20, 30), grant("y", 8, 25, 40, kNever)}));
  // The second owner was told after the first one's time was up.
  CHECK_FALSE(judge_grants({grant("x", 7, 0, 20, kNever), grant("y", 8, 99'000, 101'000, kNever)}));
  // By the leader's clock, which was fast.
  CHECK_FALSE(judge_grants({grant("x", 7, 0, 20, kNever), grant("y", 8, 97'000, 98'500, kNever)}));
}

TEST_CASE("judge_grants: a lock with two holders is found") {
  CHECK(judge_grants({grant("x", 7, 10, 20, 50), grant("y", 8, 15, 40, kNever)}));
  CHECK(judge_grants({grant("x", 7, 0, 20, kNever), grant("y", 8, 90'000, 96'000, kNever)}));
  CHECK(judge_grants({grant("x", 7, 10, 20, kNever), grant("y", 8, 15, 40, 45), grant("z", 9, 50, 60, kNever)}));
}

TEST_CASE("judge_grants: a lock that its owner was told not to hold within its time is found") {
  auto held = grant("x", 7, 0, 20, 50'000);
  held.gone = 60'000;  // what the release said
  CHECK(judge_grants({held}));
  held.gone = 99'000;
  CHECK_FALSE(judge_grants({held}));
  held.renewed = 40'000;
  CHECK(judge_grants({held}));
  held.gone = kNever;
  CHECK_FALSE(judge_grants({held}));
}

TEST_CASE("judge_grants: a lock that was renewed is held until the time of the renewal is over") {
  auto held = grant("x", 7, 0, 20, kNever);
  const auto next = grant("y", 8, 100'000, 110'000, kNever);
  CHECK_FALSE(judge_grants({held, next}));
  held.renewed = 50'000;
  CHECK(judge_grants({held, next}));
}

TEST_CASE("judge_grants: tokens that repeat or go back are found") {
  CHECK(judge_grants({grant("x", 7, 10, 20, 30), grant("y", 7, 40, 50, 60)}));
  CHECK(judge_grants({grant("x", 8, 10, 20, 30), grant("y", 7, 40, 50, 60)}));
  CHECK_FALSE(judge_grants({grant("x", 8, 10, 30, 30), grant("y", 7, 20, 35, 35)}));
}

TEST_CASE("judge: a key may be gone when its time may be over, and has to be when it is") {
  const auto written = expiring(op(1, Kind::set_px, 10, 20, "a"));
  CHECK(fine({written, op(2, Kind::get, 80, 85, "", "a")}));
  CHECK(fine({written, op(2, Kind::get, 80, 95, "", std::nullopt)}));
  CHECK_FALSE(fine({written, op(2, Kind::get, 80, 85, "", std::nullopt)}));
  CHECK(fine({written, op(2, Kind::get, 139, 150, "", "a")}));
  CHECK_FALSE(fine({written, op(2, Kind::get, 141, 150, "", "a")}));
  CHECK_FALSE(fine({written, op(2, Kind::get, 95, 100, "", std::nullopt), op(2, Kind::get, 101, 110, "", "a")}));
}

TEST_CASE("judge: what is written anew without a time stays") {
  const auto written = expiring(op(1, Kind::set_px, 10, 20, "a"));
  CHECK(fine({written, op(1, Kind::set, 30, 40, "b"), op(2, Kind::get, 500, 510, "", "b")}));
  CHECK_FALSE(fine({written, op(1, Kind::set, 30, 40, "b"), op(2, Kind::get, 500, 510, "", std::nullopt)}));
}

TEST_CASE("judge: PEXPIRE gives a key that is there a time, and tells whether it was there") {
  const auto expire = expiring(op(1, Kind::pexpire, 30, 40, "", "1"));
  CHECK(fine({op(1, Kind::set, 10, 20, "a"), expire, op(2, Kind::get, 120, 130, "", std::nullopt)}));
  CHECK_FALSE(fine({op(1, Kind::set, 10, 20, "a"), expire, op(2, Kind::get, 90, 100, "", std::nullopt)}));
  CHECK_FALSE(fine({expire}));
}

TEST_CASE("judge: a key whose SET is of unknown outcome may last for ever") {
  CHECK(fine({unknown(expiring(op(1, Kind::set_px, 10, 20, "a"))), op(2, Kind::get, 900, 910, "", "a")}));
}

TEST_CASE("judge_total: an increment is counted once when acknowledged, at most once when unknown, else not at all") {
  const auto refused = [](Operation operation) {
    operation.outcome = Operation::Outcome::refused;
    return operation;
  };
  const std::vector<Operation> history = {op(1, Kind::incr, 1, 2, "", "1"), unknown(op(1, Kind::incr, 3, 4, "")),
                                          refused(op(2, Kind::incr, 5, 6, "")), op(2, Kind::get, 7, 8, "", "1")};
  CHECK_FALSE(judge_total(history, 1));
  CHECK_FALSE(judge_total(history, 2));
  CHECK(judge_total(history, 0));
  CHECK(judge_total(history, 3));
}

TEST_CASE("judge_order: what was sent behind may not have happened before what was sent first") {
  const std::vector<Operation> answered = {op(1, Kind::incr, 1, 2, "", "1"), op(1, Kind::incr, 3, 4, "", "2")};
  CHECK_FALSE(judge_order({{1, 1, 9}, {2, 1, 9}, {2, 2, 9}}, answered));
  CHECK(judge_order({{1, 1, 9}, {1, 2, 9}, {2, 2, 9}}, answered));
  auto refused = answered;
  refused[1].outcome = Operation::Outcome::refused;
  CHECK_FALSE(judge_order({{1, 2, 9}}, refused));
  CHECK(judge_order({{1, 3, 9}}, refused));
  const std::vector<Operation> one_unknown = {answered[0], unknown(op(1, Kind::incr, 3, 4, ""))};
  CHECK_FALSE(judge_order({{1, 2, 9}}, one_unknown));
  CHECK(judge_order({{1, 3, 9}}, one_unknown));
}

TEST_CASE("judge_order: what had not been called when the counters were read excuses nothing") {
  const std::vector<Operation> counted = {op(1, Kind::incr, 1, 2, "", "1"), unknown(op(1, Kind::incr, 30, 40, ""))};
  CHECK(judge_order({{1, 2, 29}}, counted));
  CHECK_FALSE(judge_order({{1, 2, 30}}, counted));
}

TEST_CASE("add_loss: what was there is gone after a loss that an operator has told of, and not before") {
  const auto written = op(1, Kind::set, 1, 2, "a");
  CHECK(fine_after_loss({written, op(2, Kind::get, 40, 45, "", "a"), op(2, Kind::get, 70, 75, "", std::nullopt)}));
  CHECK(fine_after_loss({written, op(2, Kind::get, 52, 55, "", "a")}));
  CHECK(fine_after_loss({written, op(2, Kind::get, 52, 55, "", std::nullopt)}));
  CHECK_FALSE(fine_after_loss({written, op(2, Kind::get, 40, 45, "", std::nullopt)}));
  CHECK_FALSE(fine_after_loss({written, op(2, Kind::get, 70, 75, "", "a")}));
  CHECK_FALSE(fine_after_loss({written, op(1, Kind::set, 61, 65, "b"), op(2, Kind::get, 70, 75, "", std::nullopt)}));
}

TEST_CASE("add_loss: what was open then may have happened before it and again behind it") {
  auto open = op(1, Kind::incr, 40, 70, "", "1");
  open.place = 5;  // the loss itself has no place among what clients called
  CHECK(fine_after_loss({open, op(2, Kind::get, 45, 48, "", "1"), op(2, Kind::get, 80, 85, "", "1")}));
  const auto answered = op(1, Kind::incr, 40, 45, "", "1");
  CHECK_FALSE(fine_after_loss({answered, op(2, Kind::get, 80, 85, "", "1")}));
  auto refused = open;
  refused.outcome = Operation::Outcome::refused;  // when it was run again
  CHECK(fine_after_loss({refused, op(2, Kind::get, 45, 48, "", "1")}));
  CHECK_FALSE(fine_after_loss({refused, op(2, Kind::get, 80, 85, "", "2")}));
  refused.returned = kNever;  // on its way: it was never run
  CHECK_FALSE(fine_after_loss({refused, op(2, Kind::get, 80, 85, "", "1")}));
  CHECK_FALSE(fine_after_loss({refused, op(2, Kind::get, 45, 48, "", "1")}));
  const auto first = op(3, Kind::set, 1, 2, "z");
  auto swap = op(1, Kind::set_ifeq, 40, 70, "a");
  swap.compare = "z";
  swap.outcome = Operation::Outcome::refused;
  CHECK(fine_after_loss({first, swap, op(2, Kind::get, 45, 48, "", "a"), op(2, Kind::get, 80, 85, "", std::nullopt)}));
  CHECK_FALSE(fine_after_loss({first, swap, op(2, Kind::get, 80, 85, "", "a")}));
}

TEST_CASE("add_loss: of a loss that is not certain either may be") {
  std::vector<Operation> kept = {op(1, Kind::set, 1, 2, "a"), op(2, Kind::get, 70, 75, "", "a")};
  std::vector<Operation> gone = {op(1, Kind::set, 1, 2, "a"), op(2, Kind::get, 70, 75, "", std::nullopt)};
  for (auto* history : {&kept, &gone}) {
    add_loss("k", {50, kNever, false}, *history);
    CHECK(fine(*history));
  }
}

TEST_CASE("add_loss: a lock is held no longer than until it was lost, and its token still counts") {
  std::vector<Grant> grants = {grant("x", 7, 10, 20, kNever), grant("y", 8, 60, 70, kNever)};
  CHECK(judge_grants(grants));
  add_loss({50, 60, true}, grants);
  CHECK_FALSE(judge_grants(grants));
  grants[0].gone = 55;
  CHECK(judge_grants(grants));
  add_loss({50, 60, true}, grants);
  CHECK_FALSE(judge_grants(grants));
  grants[1].token = 7;
  CHECK(judge_grants(grants));
}
