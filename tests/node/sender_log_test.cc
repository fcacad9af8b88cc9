#include "node/sender_log.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;
using Verdict = SenderLog::Verdict;

TEST_CASE("SenderLog: a number that has run is known with its reply until it is called answered") {
  SenderLog log;
  log.record(9, 1, 1, 10, "a");
  log.record(9, 2, 1, 11, "b");
  REQUIRE(log.find(9, 1).verdict == Verdict::known);
  CHECK(log.find(9, 1).answer->reply == "a");
  CHECK(log.find(9, 3).verdict == Verdict::fresh);
  log.record(9, 3, 3, 12, "c");
  CHECK(log.find(9, 1).verdict == Verdict::expired);
  CHECK(log.find(9, 2).verdict == Verdict::expired);
  CHECK(log.find(9, 3).verdict == Verdict::known);
}

TEST_CASE("SenderLog: numbers may come out of order") {
  SenderLog log;
  log.record(9, 5, 1, 10, "five");
  log.record(9, 2, 1, 11, "two");
  CHECK(log.find(9, 2).answer->reply == "two");
  CHECK(log.find(9, 5).answer->reply == "five");
  CHECK(log.find(9, 3).verdict == Verdict::fresh);
}

TEST_CASE("SenderLog: the sender that wrote longest ago is forgotten first") {
  SenderLog log;
  for (uint64_t sender = 1; sender <= SenderLog::kSendersMax; ++sender) log.record(sender, 1, 1, sender, "x");
  log.record(1, 2, 1, 1000, "x");
  log.record(500, 1, 1, 1001, "x");
  CHECK(log.senders() == SenderLog::kSendersMax);
  CHECK(log.find(2, 1).verdict == Verdict::fresh);
  CHECK(log.find(1, 1).verdict == Verdict::known);
  CHECK(log.find(500, 1).verdict == Verdict::known);
}

TEST_CASE("SenderLog: a sender's answers are bounded, and what was dropped is never run again") {
  SenderLog log;
  for (uint64_t number = 1; number <= SenderLog::kAnswersMax + 1; ++number) log.record(9, number, 1, number, "x");
  CHECK(log.find(9, 1).verdict == Verdict::expired);
  CHECK(log.find(9, 2).verdict == Verdict::known);
}

TEST_CASE("SenderLog.records: a copy settles what is part of records, and nothing that was only noted") {
  SenderLog head;
  head.record(9, 1, 1, 10, "a");
  head.note(9, 2, 1, 10, "b");
  SenderLog copy;
  copy.restore(head.records());
  CHECK(copy.find(9, 1).verdict == Verdict::known);
  CHECK(copy.find(9, 2).verdict == Verdict::fresh);
  CHECK(copy.covers(head));
  CHECK(head.take_unrecorded(9, 1).size() == 1);
  CHECK_FALSE(copy.covers(head));
}

TEST_CASE("SenderLog.covers: what a sender calls answered needs not be known") {
  SenderLog one, other;
  one.record(9, 1, 1, 10, "a");
  CHECK(one.covers(other));
  CHECK_FALSE(other.covers(one));
  other.record(9, 2, 2, 11, "b");
  CHECK(other.covers(one));
  CHECK_FALSE(one.covers(other));
}
