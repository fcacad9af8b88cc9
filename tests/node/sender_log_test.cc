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

TEST_CASE("SenderLog: a reply that is too long is not kept, and its write is refused when it comes again") {
  SenderLog log;
  const std::string longest(SenderLog::kRepliesBytesMax, 'x');
  log.record(9, 1, 1, 10, longest);
  log.record(8, 1, 1, 11, longest + "x");
  log.note(8, 2, 1, 11, longest + "x");
  CHECK(log.find(9, 1).verdict == Verdict::known);
  CHECK(log.find(8, 1).verdict == Verdict::expired);
  CHECK(log.find(8, 2).verdict == Verdict::expired);
  CHECK(log.find(8, 3).verdict == Verdict::fresh);
  const std::vector<protocol::EarlierAnswer> noted = log.take_unrecorded(8, 1);
  REQUIRE(noted.size() == 1);
  CHECK(noted[0].reply.empty());
  SenderLog copy;
  copy.restore(log.records());
  CHECK(copy.find(9, 1).verdict == Verdict::known);
  CHECK(copy.find(8, 2).verdict == Verdict::expired);
  CHECK(copy.covers(log));
}

TEST_CASE("SenderLog: of one sender's replies the oldest make room for later ones, and are refused") {
  SenderLog log;
  const std::string third(SenderLog::kRepliesBytesMax / 3, 'x');
  log.record(8, 1, 1, 1, third);  // another sender's stay
  for (uint64_t number = 1; number <= 5; ++number) log.record(9, number, 1, number, third);
  const auto verdicts = [&log] {
    std::vector<Verdict> found;
    for (uint64_t number = 1; number <= 6; ++number) found.push_back(log.find(9, number).verdict);
    return found;
  };
  constexpr Verdict kFresh = Verdict::fresh, kKnown = Verdict::known, kExpired = Verdict::expired;
  CHECK(verdicts() == std::vector{kExpired, kExpired, kKnown, kKnown, kKnown, kFresh});
  CHECK(log.find(8, 1).verdict == kKnown);
  SenderLog copy;
  copy.restore(log.records());
  for (SenderLog* const one : {&log, &copy}) {
    one->record(9, 6, 1, 6, "short");
    CHECK(one->find(9, 3).verdict == kExpired);
    CHECK(one->find(9, 4).verdict == kKnown);
    one->record(9, 7, 5, 7, third);  // what is called answered gives its room back
    CHECK(one->find(9, 5).verdict == kKnown);
    CHECK(one->find(9, 6).verdict == kKnown);
    CHECK(one->find(9, 7).verdict == kKnown);
  }
}

TEST_CASE("SenderLog: a retry that comes late finds room, and what came later stays ordered") {
  SenderLog log;
  const std::string half(SenderLog::kRepliesBytesMax / 2, 'x');
  log.record(9, 5, 1, 10, half);
  log.record(9, 6, 1, 11, half);
  log.record(9, 2, 1, 12, half);  // the oldest by number, though it came last
  CHECK(log.find(9, 2).verdict == Verdict::expired);
  CHECK(log.find(9, 5).verdict == Verdict::known);
  log.record(9, 7, 6, 13, half);
  CHECK(log.find(9, 6).verdict == Verdict::known);
  CHECK(log.find(9, 7).verdict == Verdict::known);
}
