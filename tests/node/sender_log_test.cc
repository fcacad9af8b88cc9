#include "node/sender_log.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;
using Verdict = SenderLog::Verdict;

namespace {

constexpr auto kOnce = SenderLog::Sent::once;
constexpr auto kAgain = SenderLog::Sent::again;

// As many senders as are remembered, each with one answer, from `sequence` on.
void fill(SenderLog& log, Sequence sequence) {
  for (uint64_t i = 0; i < SenderLog::kSendersMax; ++i) log.record(1 + i, 1, 1, sequence + i, "x");
}

}  // namespace

TEST_CASE("SenderLog: a number that has run is known with its reply until it is called answered") {
  SenderLog log;
  log.record(9, 1, 1, 10, "a");
  log.record(9, 2, 1, 11, "b");
  REQUIRE(log.find(9, 1, kAgain).verdict == Verdict::known);
  CHECK(log.find(9, 1, kAgain).answer->reply == "a");
  CHECK(log.find(9, 3, kAgain).verdict == Verdict::fresh);
  log.record(9, 3, 3, 12, "c");
  CHECK(log.find(9, 1, kAgain).verdict == Verdict::expired);
  CHECK(log.find(9, 2, kAgain).verdict == Verdict::expired);
  CHECK(log.find(9, 3, kAgain).verdict == Verdict::known);
}

TEST_CASE("SenderLog: numbers may come out of order") {
  SenderLog log;
  log.record(9, 5, 1, 10, "five");
  log.record(9, 2, 1, 11, "two");
  CHECK(log.find(9, 2, kAgain).answer->reply == "two");
  CHECK(log.find(9, 5, kAgain).answer->reply == "five");
  CHECK(log.find(9, 3, kAgain).verdict == Verdict::fresh);
}

TEST_CASE("SenderLog: the sender that wrote longest ago is forgotten first") {
  SenderLog log;
  fill(log, 1);
  log.record(1, 2, 1, 1000, "x");
  log.record(500, 1, 1, 1001, "x");
  CHECK(log.senders() == SenderLog::kSendersMax);
  CHECK(log.find(2, 1, kOnce).verdict == Verdict::fresh);
  CHECK(log.find(1, 1, kAgain).verdict == Verdict::known);
  CHECK(log.find(500, 1, kAgain).verdict == Verdict::known);
}

TEST_CASE("SenderLog: a sender's answers are bounded, and what was dropped is never run again") {
  SenderLog log;
  for (uint64_t number = 1; number <= SenderLog::kAnswersMax + 1; ++number) log.record(9, number, 1, number, "x");
  CHECK(log.find(9, 1, kAgain).verdict == Verdict::expired);
  CHECK(log.find(9, 2, kAgain).verdict == Verdict::known);
}

TEST_CASE("SenderLog.records: a copy settles what is part of records, and nothing that was only noted") {
  SenderLog head;
  head.record(9, 1, 1, 10, "a");
  head.note(9, 2, 1, 10, "b");
  SenderLog copy;
  copy.restore(head.records(), head.has_forgotten_senders());
  CHECK(copy.find(9, 1, kAgain).verdict == Verdict::known);
  CHECK(copy.find(9, 2, kAgain).verdict == Verdict::fresh);
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
  CHECK(log.find(9, 1, kAgain).verdict == Verdict::known);
  CHECK(log.find(8, 1, kAgain).verdict == Verdict::expired);
  CHECK(log.find(8, 2, kAgain).verdict == Verdict::expired);
  CHECK(log.find(8, 3, kAgain).verdict == Verdict::fresh);
  const std::vector<protocol::EarlierAnswer> noted = log.take_unrecorded(8, 1);
  REQUIRE(noted.size() == 1);
  CHECK(noted[0].reply.empty());
  SenderLog copy;
  copy.restore(log.records(), log.has_forgotten_senders());
  CHECK(copy.find(9, 1, kAgain).verdict == Verdict::known);
  CHECK(copy.find(8, 2, kAgain).verdict == Verdict::expired);
  CHECK(copy.covers(log));
}

TEST_CASE("SenderLog: of one sender's replies the oldest make room for later ones, and are refused") {
  SenderLog log;
  const std::string third(SenderLog::kRepliesBytesMax / 3, 'x');
  log.record(8, 1, 1, 1, third);  // another sender's stay
  for (uint64_t number = 1; number <= 5; ++number) log.record(9, number, 1, number, third);
  const auto verdicts = [&log] {
    std::vector<Verdict> found;
    for (uint64_t number = 1; number <= 6; ++number) found.push_back(log.find(9, number, kAgain).verdict);
    return found;
  };
  constexpr Verdict kFresh = Verdict::fresh, kKnown = Verdict::known, kExpired = Verdict::expired;
  CHECK(verdicts() == std::vector{kExpired, kExpired, kKnown, kKnown, kKnown, kFresh});
  CHECK(log.find(8, 1, kAgain).verdict == kKnown);
  SenderLog copy;
  copy.restore(log.records(), log.has_forgotten_senders());
  for (SenderLog* const one : {&log, &copy}) {
    one->record(9, 6, 1, 6, "short");
    CHECK(one->find(9, 3, kAgain).verdict == kExpired);
    CHECK(one->find(9, 4, kAgain).verdict == kKnown);
    one->record(9, 7, 5, 7, third);  // what is called answered gives its room back
    CHECK(one->find(9, 5, kAgain).verdict == kKnown);
    CHECK(one->find(9, 6, kAgain).verdict == kKnown);
    CHECK(one->find(9, 7, kAgain).verdict == kKnown);
  }
}

TEST_CASE("SenderLog: a retry that comes late finds room, and what came later stays ordered") {
  SenderLog log;
  const std::string half(SenderLog::kRepliesBytesMax / 2, 'x');
  log.record(9, 5, 1, 10, half);
  log.record(9, 6, 1, 11, half);
  log.record(9, 2, 1, 12, half);  // the oldest by number, though it came last
  CHECK(log.find(9, 2, kAgain).verdict == Verdict::expired);
  CHECK(log.find(9, 5, kAgain).verdict == Verdict::known);
  log.record(9, 7, 6, 13, half);
  CHECK(log.find(9, 6, kAgain).verdict == Verdict::known);
  CHECK(log.find(9, 7, kAgain).verdict == Verdict::known);
}

TEST_CASE("SenderLog: a write of a forgotten sender that may have run is refused, and what is new is run") {
  SenderLog log;
  log.record(1000, 5, 5, 1, "ran");
  CHECK(log.find(1001, 1, kAgain).verdict == Verdict::fresh);  // nobody is forgotten: it has never run
  fill(log, 2);
  CHECK(log.find(1000, 5, kAgain).verdict == Verdict::expired);
  CHECK(log.find(1001, 1, kAgain).verdict == Verdict::expired);  // it may be another one that was forgotten
  CHECK(log.find(1000, 6, kOnce).verdict == Verdict::fresh);
  CHECK(log.find(1, 2, kAgain).verdict == Verdict::fresh);  // of who is known it is known what has run
  SenderLog copy;
  copy.restore(log.records(), log.has_forgotten_senders());
  CHECK(copy.find(1000, 5, kAgain).verdict == Verdict::expired);
}

TEST_CASE("SenderLog: a sender that writes again after it was forgotten is not taken for one that never wrote") {
  SenderLog log;
  log.record(1000, 5, 5, 1, "ran");
  fill(log, 2);
  log.record(1000, 6, 5, 100, "x");
  CHECK(log.find(1000, 5, kAgain).verdict == Verdict::expired);
  CHECK(log.find(1000, 6, kAgain).verdict == Verdict::known);
  CHECK(log.find(1000, 7, kAgain).verdict == Verdict::fresh);
}

TEST_CASE("SenderLog.note: counts as writing, so that whoever wrote earlier is forgotten first") {
  SenderLog log;
  fill(log, 1);
  log.record(2, 2, 1, 100, "x");
  log.note(500, 1, 1, 0, "$-1\r\n");  // in the place of sender 1
  log.record(501, 1, 1, 101, "x");
  CHECK(log.find(500, 1, kAgain).verdict == Verdict::known);
  CHECK(log.find(3, 1, kAgain).verdict == Verdict::expired);
}

TEST_CASE("SenderLog.forget_reply: what was answered is refused, here and in copies") {
  SenderLog log;
  log.record(9, 1, 1, 10, "a");
  log.record(9, 2, 1, 11, "b");
  log.forget_reply(9, 1);
  log.forget_reply(9, 7);
  log.forget_reply(8, 1);
  CHECK(log.find(9, 1, kAgain).verdict == Verdict::expired);
  CHECK(log.find(9, 2, kAgain).verdict == Verdict::known);
  SenderLog copy;
  copy.restore(log.records(), log.has_forgotten_senders());
  CHECK(copy.find(9, 1, kAgain).verdict == Verdict::expired);
  CHECK(copy.covers(log));
}

TEST_CASE("SenderLog.bytes: those of what is remembered, whatever was forgotten meanwhile (R11)") {
  const std::string long_reply(10'000, 'x');
  SenderLog log;
  CHECK(log.bytes() == 0);
  log.record(9, 1, 1, 1, long_reply);
  CHECK(log.bytes() > long_reply.size());
  CHECK(log.bytes() < long_reply.size() + 500);
  log.note(9, 2, 1, 1, long_reply);
  log.record(9, 2, 1, 2, "came from another head");
  log.record(9, 3, 2, 3, long_reply);
  log.forget_reply(9, 3);
  CHECK(log.bytes() < 500);
  for (Sequence sequence = 4; sequence < 5000; ++sequence) {
    log.record(1 + sequence % 100, 10 + sequence, 5 + sequence, sequence,
               std::string_view(long_reply).substr(sequence));
    if (sequence % 100 == 3) log.record(9, 10 + sequence, 10, sequence, "x");
  }
  SenderLog copy;
  copy.restore(log.records(), log.has_forgotten_senders());
  CHECK(log.bytes() == copy.bytes());
  log.clear();
  CHECK(log.bytes() == 0);
}
