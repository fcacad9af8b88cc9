#include "node/sender_log.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;
using Verdict = SenderLog::Verdict;

namespace {

constexpr auto kOnce = SenderLog::Sent::once;
constexpr auto kAgain = SenderLog::Sent::again;

constexpr Micros kThen = 1000 * kMicrosPerSecond;
constexpr Micros kSilence = SenderLog::kSenderSilence;

// As many senders as are remembered, each with one answer, one after the other from `begin` on.
void fill(SenderLog& log, Micros begin) {
  for (uint64_t i = 0; i < SenderLog::kSendersMax; ++i) {
    log.record(1 + i, 1, 1, 1 + i, "x", begin + static_cast<Micros>(i));
  }
}

SenderLog copy_of(const SenderLog& log, Micros now, Micros learners_now) {
  SenderLog copy;
  copy.restore(log.records(now), log.forgotten_for(now), learners_now);
  return copy;
}

}  // namespace

TEST_CASE("SenderLog: a number that has run is known with its reply until it is called answered") {
  SenderLog log;
  log.record(9, 1, 1, 10, "a", kThen);
  log.record(9, 2, 1, 11, "b", kThen);
  REQUIRE(log.find(9, 1, kAgain, kThen).verdict == Verdict::known);
  CHECK(log.find(9, 1, kAgain, kThen).answer->reply == "a");
  CHECK(log.find(9, 3, kAgain, kThen).verdict == Verdict::fresh);
  log.record(9, 3, 3, 12, "c", kThen);
  CHECK(log.find(9, 1, kAgain, kThen).verdict == Verdict::expired);
  CHECK(log.find(9, 2, kAgain, kThen).verdict == Verdict::expired);
  CHECK(log.find(9, 3, kAgain, kThen).verdict == Verdict::known);
}

TEST_CASE("SenderLog: numbers may come out of order") {
  SenderLog log;
  log.record(9, 5, 1, 10, "five", kThen);
  log.record(9, 2, 1, 11, "two", kThen);
  CHECK(log.find(9, 2, kAgain, kThen).answer->reply == "two");
  CHECK(log.find(9, 5, kAgain, kThen).answer->reply == "five");
  CHECK(log.find(9, 3, kAgain, kThen).verdict == Verdict::fresh);
}

TEST_CASE("SenderLog: the sender that wrote longest ago is forgotten first") {
  SenderLog log;
  fill(log, kThen - 1000);
  log.record(1, 2, 1, 1000, "x", kThen - 1);
  log.record(500, 1, 1, 1001, "x", kThen);
  CHECK(log.senders() == SenderLog::kSendersMax);
  CHECK(log.find(2, 1, kOnce, kThen).verdict == Verdict::fresh);
  CHECK(log.find(1, 1, kAgain, kThen).verdict == Verdict::known);
  CHECK(log.find(500, 1, kAgain, kThen).verdict == Verdict::known);
}

TEST_CASE("SenderLog: a sender's answers are bounded, and what was dropped is never run again") {
  SenderLog log;
  for (uint64_t number = 1; number <= SenderLog::kAnswersMax + 1; ++number)
    log.record(9, number, 1, number, "x", kThen);
  CHECK(log.find(9, 1, kAgain, kThen).verdict == Verdict::expired);
  CHECK(log.find(9, 2, kAgain, kThen).verdict == Verdict::known);
}

TEST_CASE("SenderLog.records: a copy settles what is part of records, and nothing that was only noted") {
  SenderLog head;
  head.record(9, 1, 1, 10, "a", kThen);
  head.note(9, 2, 1, 10, "b", kThen);
  SenderLog copy = copy_of(head, kThen, kThen);
  CHECK(copy.find(9, 1, kAgain, kThen).verdict == Verdict::known);
  CHECK(copy.find(9, 2, kAgain, kThen).verdict == Verdict::fresh);
  CHECK(copy.covers(head, kThen, kThen));
  CHECK(head.take_unrecorded(9, 1, kThen).size() == 1);
  CHECK_FALSE(copy.covers(head, kThen, kThen));
}

TEST_CASE("SenderLog.covers: what a sender calls answered needs not be known") {
  SenderLog one, other;
  one.record(9, 1, 1, 10, "a", kThen);
  CHECK(one.covers(other, kThen, kThen));
  CHECK_FALSE(other.covers(one, kThen, kThen));
  other.record(9, 2, 2, 11, "b", kThen);
  CHECK(other.covers(one, kThen, kThen));
  CHECK_FALSE(one.covers(other, kThen, kThen));
}

TEST_CASE("SenderLog: a reply that is too long is not kept, and its write is refused when it comes again") {
  SenderLog log;
  const std::string longest(SenderLog::kRepliesBytesMax, 'x');
  log.record(9, 1, 1, 10, longest, kThen);
  log.record(8, 1, 1, 11, longest + "x", kThen);
  log.note(8, 2, 1, 11, longest + "x", kThen);
  CHECK(log.find(9, 1, kAgain, kThen).verdict == Verdict::known);
  CHECK(log.find(8, 1, kAgain, kThen).verdict == Verdict::expired);
  CHECK(log.find(8, 2, kAgain, kThen).verdict == Verdict::expired);
  CHECK(log.find(8, 3, kAgain, kThen).verdict == Verdict::fresh);
  const std::vector<protocol::EarlierAnswer> noted = log.take_unrecorded(8, 1, kThen);
  REQUIRE(noted.size() == 1);
  CHECK(noted[0].reply.empty());
  SenderLog copy = copy_of(log, kThen, kThen);
  CHECK(copy.find(9, 1, kAgain, kThen).verdict == Verdict::known);
  CHECK(copy.find(8, 2, kAgain, kThen).verdict == Verdict::expired);
  CHECK(copy.covers(log, kThen, kThen));
}

TEST_CASE("SenderLog: of one sender's replies the oldest make room for later ones, and are refused") {
  SenderLog log;
  const std::string third(SenderLog::kRepliesBytesMax / 3, 'x');
  log.record(8, 1, 1, 1, third, kThen);  // another sender's stay
  for (uint64_t number = 1; number <= 5; ++number) log.record(9, number, 1, number, third, kThen);
  const auto verdicts = [&log] {
    std::vector<Verdict> found;
    for (uint64_t number = 1; number <= 6; ++number) found.push_back(log.find(9, number, kAgain, kThen).verdict);
    return found;
  };
  constexpr Verdict kFresh = Verdict::fresh, kKnown = Verdict::known, kExpired = Verdict::expired;
  CHECK(verdicts() == std::vector{kExpired, kExpired, kKnown, kKnown, kKnown, kFresh});
  CHECK(log.find(8, 1, kAgain, kThen).verdict == kKnown);
  SenderLog copy = copy_of(log, kThen, kThen);
  for (SenderLog* const one : {&log, &copy}) {
    one->record(9, 6, 1, 6, "short", kThen);
    CHECK(one->find(9, 3, kAgain, kThen).verdict == kExpired);
    CHECK(one->find(9, 4, kAgain, kThen).verdict == kKnown);
    one->record(9, 7, 5, 7, third, kThen);  // what is called answered gives its room back
    CHECK(one->find(9, 5, kAgain, kThen).verdict == kKnown);
    CHECK(one->find(9, 6, kAgain, kThen).verdict == kKnown);
    CHECK(one->find(9, 7, kAgain, kThen).verdict == kKnown);
  }
}

TEST_CASE("SenderLog: a retry that comes late finds room, and what came later stays ordered") {
  SenderLog log;
  const std::string half(SenderLog::kRepliesBytesMax / 2, 'x');
  log.record(9, 5, 1, 10, half, kThen);
  log.record(9, 6, 1, 11, half, kThen);
  log.record(9, 2, 1, 12, half, kThen);  // the oldest by number, though it came last
  CHECK(log.find(9, 2, kAgain, kThen).verdict == Verdict::expired);
  CHECK(log.find(9, 5, kAgain, kThen).verdict == Verdict::known);
  log.record(9, 7, 6, 13, half, kThen);
  CHECK(log.find(9, 6, kAgain, kThen).verdict == Verdict::known);
  CHECK(log.find(9, 7, kAgain, kThen).verdict == Verdict::known);
}

TEST_CASE("SenderLog: a write of a forgotten sender that may have run is refused, and what is new is run") {
  SenderLog log;
  log.record(1000, 5, 5, 1, "ran", kThen);
  CHECK(log.find(1001, 1, kAgain, kThen).verdict == Verdict::fresh);  // nobody is forgotten: it has never run
  fill(log, kThen);
  CHECK(log.find(1000, 5, kAgain, kThen).verdict == Verdict::expired);
  CHECK(log.find(1001, 1, kAgain, kThen).verdict == Verdict::expired);  // it may be another one that was forgotten
  CHECK(log.find(1000, 6, kOnce, kThen).verdict == Verdict::fresh);
  CHECK(log.find(1, 2, kAgain, kThen).verdict == Verdict::fresh);  // of who is known it is known what has run
  SenderLog copy = copy_of(log, kThen, kThen);
  CHECK(copy.find(1000, 5, kAgain, kThen).verdict == Verdict::expired);
}

TEST_CASE("SenderLog: a sender that writes again after it was forgotten is not taken for one that never wrote") {
  SenderLog log;
  log.record(1000, 5, 5, 1, "ran", kThen - 1);
  fill(log, kThen);
  log.record(1000, 6, 5, 100, "x", kThen + 1000);
  CHECK(log.find(1000, 5, kAgain, kThen).verdict == Verdict::expired);
  CHECK(log.find(1000, 6, kAgain, kThen).verdict == Verdict::known);
  CHECK(log.find(1000, 7, kAgain, kThen).verdict == Verdict::fresh);
}

TEST_CASE("SenderLog.note: counts as writing, so that whoever wrote earlier is forgotten first") {
  SenderLog log;
  fill(log, kThen - 1000);
  log.note(1, 2, 1, 0, "$-1\r\n", kThen - 2);
  log.note(500, 1, 1, 0, "$-1\r\n", kThen - 1);  // in the place of sender 2
  log.record(501, 1, 1, 101, "x", kThen);
  CHECK(log.find(1, 2, kAgain, kThen).verdict == Verdict::known);
  CHECK(log.find(500, 1, kAgain, kThen).verdict == Verdict::known);
  CHECK(log.find(3, 1, kAgain, kThen).verdict == Verdict::expired);
}

TEST_CASE("SenderLog: a sender that has written nothing for long is gone, and nobody counts as forgotten for it") {
  SenderLog log;
  log.record(9, 5, 5, 1, "ran", kThen);
  log.note(9, 6, 5, 1, "ran, too", kThen + 1000);
  const auto verdict = [&log](uint64_t number, Micros now) { return log.find(9, number, kAgain, now).verdict; };
  const Micros gone_at = kThen + 1000 + kSilence;
  CHECK(verdict(5, gone_at - 1) == Verdict::known);
  CHECK(verdict(4, gone_at - 1) == Verdict::expired);
  for (const uint64_t number : {4u, 5u, 6u}) CHECK(verdict(number, gone_at) == Verdict::fresh);
  CHECK(log.forgotten_for(gone_at) == 0);
  CHECK(log.take_unrecorded(9, 1, gone_at).empty());
  CHECK(log.records(gone_at).empty());
  log.drop_silent(gone_at - 1);
  CHECK(verdict(5, gone_at - 1) == Verdict::known);
  CHECK(log.keeps_reply(9, 5));
  log.drop_silent(gone_at);
  CHECK(log.senders() == 0);
  CHECK_FALSE(log.keeps_reply(9, 5));
  CHECK(log.bytes() == 0);
  CHECK(log.forgotten_for(gone_at) == 0);
}

TEST_CASE("SenderLog: a sender that writes again after it was silent for long begins anew, swept by then or not") {
  for (const bool swept : {false, true}) {
    SenderLog log;
    log.record(9, 5, 3, 1, "ran", kThen);
    if (swept) log.drop_silent(kThen + kSilence);
    log.record(9, 6, 1, 2, "x", kThen + kSilence);
    CHECK(log.senders() == 1);
    CHECK(log.find(9, 5, kAgain, kThen + kSilence).verdict == Verdict::fresh);
    CHECK(log.find(9, 2, kAgain, kThen + kSilence).verdict == Verdict::fresh);
    CHECK(log.find(9, 6, kAgain, kThen + 2 * kSilence - 1).verdict == Verdict::known);
  }
}

TEST_CASE("SenderLog: who was silent for long makes room, and only who had written since counts as forgotten") {
  SenderLog log;
  fill(log, kThen);
  const Micros then = kThen + kSilence;  // sender 1 is silent, sender 2 nearly
  log.record(500, 1, 1, 100, "x", then);
  CHECK(log.senders() == SenderLog::kSendersMax);
  CHECK(log.forgotten_for(then) == 0);
  CHECK(log.find(1000, 1, kAgain, then).verdict == Verdict::fresh);
  log.record(501, 1, 1, 101, "x", then);
  CHECK(log.forgotten_for(then) == 1);
  CHECK(log.find(2, 1, kAgain, then).verdict == Verdict::expired);
  CHECK(log.find(3, 1, kAgain, then).verdict == Verdict::known);
}

TEST_CASE("SenderLog: that others were forgotten counts until the last of them would be silent for long") {
  SenderLog log;
  log.record(1001, 5, 5, 1, "ran", kThen - 2);
  log.record(1000, 5, 5, 1, "ran", kThen - 1);
  fill(log, kThen);
  const Micros until = kThen - 1 + kSilence;
  CHECK(log.find(1000, 5, kAgain, until - 1).verdict == Verdict::expired);
  CHECK(log.find(1000, 5, kAgain, until).verdict == Verdict::fresh);
  log.record(1000, 6, 5, 2, "x", until);  // sender 1 makes room
  CHECK(log.find(1000, 5, kAgain, until).verdict == Verdict::expired);
}

TEST_CASE("SenderLog.restore: senders of a copy are silent since they were at its source, whatever its clock says") {
  SenderLog log;
  fill(log, kThen);
  log.record(500, 1, 1, 100, "x", kThen + 1000);  // in the place of sender 1
  const Micros then = kThen + kSilence - 10;
  log.note(2, 2, 1, 100, "this member's alone", then);  // not in the copy
  constexpr Micros kLearner = -5 * kMicrosPerSecond;
  SenderLog copy = copy_of(log, then, kLearner);
  CHECK(copy.forgotten_for(kLearner) == 10);
  CHECK(copy.find(1, 1, kAgain, kLearner + 9).verdict == Verdict::expired);
  CHECK(copy.find(2, 1, kAgain, kLearner + 10).verdict == Verdict::known);
  CHECK(copy.forgotten_for(kLearner + 10) == 0);
  CHECK(copy.find(2, 1, kAgain, kLearner + 11).verdict == Verdict::fresh);
  CHECK(copy.find(500, 1, kAgain, kLearner + 1009).verdict == Verdict::known);
  CHECK(copy.find(500, 1, kAgain, kLearner + 1010).verdict == Verdict::fresh);
  CHECK(copy_of(SenderLog(), then, kLearner).forgotten_for(kLearner) == 0);
}

TEST_CASE("SenderLog.restore: times that nobody has are taken for the nearest that one may have") {
  SenderLog log;
  log.restore({{7, 1, INT64_MIN, {}}, {8, 1, INT64_MAX, {}}}, INT64_MAX, kThen);
  CHECK(log.forgotten_for(kThen) == kSilence);
  log.drop_silent(kThen);
  CHECK(log.senders() == 1);
  log.drop_silent(kThen + kSilence);
  CHECK(log.senders() == 0);
}

TEST_CASE("SenderLog.covers: holds among members that drop a sender at different moments") {
  SenderLog first, second;
  for (SenderLog* const log : {&first, &second}) {
    log->record(7, 1, 1, 1, "a", kThen);
    log->record(8, 1, 1, 2, "b", log == &first ? kThen : kThen + 2000);
    log->record(9, 1, 1, 3, "c", kThen + kSilence - 1);
  }
  second.note(7, 2, 1, 3, "changed nothing", kThen + kSilence - 1);  // so it keeps what is older
  const Micros then = kThen + kSilence;
  first.drop_silent(then);
  second.drop_silent(then);
  REQUIRE(first.senders() == 1);
  REQUIRE(second.senders() == 3);
  CHECK(first.covers(second, then, then));
  CHECK(second.covers(first, then, then));
  first.record(8, 2, 2, 4, "d", then);
  CHECK_FALSE(second.covers(first, then, then));
}

TEST_CASE("SenderLog.forget_reply: what was answered is refused, here and in copies") {
  SenderLog log;
  log.record(9, 1, 1, 10, "a", kThen);
  log.record(9, 2, 1, 11, "b", kThen);
  log.forget_reply(9, 1);
  log.forget_reply(9, 7);
  log.forget_reply(8, 1);
  CHECK(log.find(9, 1, kAgain, kThen).verdict == Verdict::expired);
  CHECK(log.find(9, 2, kAgain, kThen).verdict == Verdict::known);
  SenderLog copy = copy_of(log, kThen, kThen);
  CHECK(copy.find(9, 1, kAgain, kThen).verdict == Verdict::expired);
  CHECK(copy.covers(log, kThen, kThen));
}

TEST_CASE("SenderLog.bytes: those of what is remembered, whatever was forgotten meanwhile (R11)") {
  const std::string long_reply(10'000, 'x');
  SenderLog log;
  CHECK(log.bytes() == 0);
  log.record(9, 1, 1, 1, long_reply, kThen);
  CHECK(log.bytes() > long_reply.size());
  CHECK(log.bytes() < long_reply.size() + 500);
  log.note(9, 2, 1, 1, long_reply, kThen);
  log.record(9, 2, 1, 2, "came from another head", kThen);
  log.record(9, 3, 2, 3, long_reply, kThen);
  log.forget_reply(9, 3);
  CHECK(log.bytes() < 500);
  for (Sequence sequence = 4; sequence < 5000; ++sequence) {
    log.record(1 + sequence % 100, 10 + sequence, 5 + sequence, sequence, std::string_view(long_reply).substr(sequence),
               kThen);
    if (sequence % 100 == 3) log.record(9, 10 + sequence, 10, sequence, "x", kThen);
  }
  SenderLog copy = copy_of(log, kThen, kThen);
  CHECK(log.bytes() == copy.bytes());
  log.clear();
  CHECK(log.bytes() == 0);
}
