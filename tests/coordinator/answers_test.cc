#include "coordinator/answers.h"
#include "base/bytes.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using Verdict = Answers::Verdict;
using protocol::Sent;

LockReply reply(std::string text) { return {std::move(text), 0, 0}; }

std::string written(const Answers& answers) {
  std::string bytes;
  ByteWriter writer(bytes);
  answers.write(writer);
  return bytes;
}

Answers copy_of(const Answers& answers) {
  const std::string bytes = written(answers);
  Answers copy;
  ByteReader reader(bytes);
  copy.read(reader);
  REQUIRE(reader.complete());
  return copy;
}

TEST_CASE("Answers.find: fresh, known, expired (R20)") {
  Answers answers;
  REQUIRE(answers.find(7, 1, Sent::once).verdict == Verdict::fresh);
  answers.record(7, 1, 0, 10, reply("a"));
  answers.record(7, 2, 0, 11, reply("b"));
  REQUIRE(answers.find(7, 1, Sent::once).answer->resp == "a");
  REQUIRE(answers.find(8, 1, Sent::once).verdict == Verdict::fresh);
  answers.record(7, 5, 2, 12, reply("e"));
  REQUIRE(answers.find(7, 1, Sent::once).verdict == Verdict::expired);
  REQUIRE(answers.find(7, 2, Sent::once).answer->resp == "b");
  REQUIRE(answers.find(7, 3, Sent::once).verdict == Verdict::fresh);
  answers.record(7, 6, 6, 13, reply("f"));
  REQUIRE(answers.find(7, 5, Sent::once).verdict == Verdict::expired);
  REQUIRE(answers.find(7, 6, Sent::once).verdict == Verdict::known);
}

TEST_CASE("Answers.record: what its sender says never goes back") {
  Answers answers;
  answers.record(7, 9, 9, 1, reply("x"));
  answers.record(7, 10, 3, 2, reply("y"));
  REQUIRE(answers.find(7, 5, Sent::once).verdict == Verdict::expired);
}

TEST_CASE("Answers.record: bounded by number and by bytes, what is forgotten is refused") {
  Answers answers;
  for (uint64_t number = 1; number <= Answers::kAnswersMax + 1; ++number)
    answers.record(7, number, 0, number, reply("x"));
  REQUIRE(answers.find(7, 1, Sent::once).verdict == Verdict::expired);
  REQUIRE(answers.find(7, 2, Sent::once).verdict == Verdict::known);
  const std::string big(Answers::kAnswerBytesMax / 2 + 1, 'x');
  answers.record(8, 1, 0, 10'000, reply(big));
  answers.record(8, 2, 0, 10'001, reply(big));
  REQUIRE(answers.find(8, 1, Sent::once).verdict == Verdict::expired);
  REQUIRE(answers.find(8, 2, Sent::once).verdict == Verdict::known);
  answers.record(8, 3, 0, 10'002, reply(big + big));
  REQUIRE(answers.find(8, 3, Sent::once).verdict == Verdict::known);  // the last one is kept whatever its size
}

TEST_CASE("Answers.forget_answers: they are gone, and what was called answered stays refused") {
  Answers answers;
  answers.record(7, 1, 0, 1, reply("a"));
  answers.record(7, 3, 2, 2, reply("c"));
  REQUIRE(answers.of(7).size() == 1);
  REQUIRE(answers.of(7).at(3).resp == "c");
  REQUIRE(answers.answered_below(7) == 2);
  answers.forget_answers(7);
  REQUIRE(answers.of(7).empty());
  REQUIRE(answers.find(7, 3, Sent::once).verdict == Verdict::fresh);
  REQUIRE(answers.find(7, 1, Sent::once).verdict == Verdict::expired);
  answers.forget_answers(8);
  REQUIRE(answers.of(8).empty());
  REQUIRE(answers.answered_below(8) == 0);
}

TEST_CASE("Answers.record: the sender that wrote longest ago is forgotten first") {
  Answers answers;
  uint64_t index = 0;
  for (Incarnation sender = 1; sender <= Answers::kSendersMax; ++sender)
    answers.record(sender, 1, 0, ++index, reply("x"));
  answers.record(1, 2, 0, ++index, reply("y"));
  answers.record(999'999, 1, 0, ++index, reply("z"));
  REQUIRE(answers.senders() == Answers::kSendersMax);
  REQUIRE(answers.find(1, 1, Sent::once).verdict == Verdict::known);
  REQUIRE(answers.find(2, 1, Sent::once).verdict == Verdict::fresh);
}

TEST_CASE("Answers.find: what a forgotten sender has run is refused when it is sent again (R20)") {
  Answers answers;
  answers.record(1, 4, 3, 1, reply("four"));
  answers.record(1, 6, 3, 2, reply("six"));
  answers.record(2, 1, 9, 3, reply("one"));
  for (Incarnation sender = 3; sender <= Answers::kSendersMax + 2; ++sender)
    answers.record(sender, 1, 0, sender + 1, reply("x"));
  for (const bool restored : {false, true}) {
    CAPTURE(restored);
    if (restored) answers = copy_of(answers);
    for (const uint64_t number : {4, 5, 6}) {  // what is known is how far it wrote
      REQUIRE(answers.find(1, number, Sent::again).verdict == Verdict::expired);
      REQUIRE(answers.find(1, number, Sent::once).verdict == Verdict::fresh);
    }
    REQUIRE(answers.find(1, 7, Sent::again).verdict == Verdict::fresh);  // it has not run it
    REQUIRE(answers.find(2, 8, Sent::again).verdict == Verdict::expired);
    REQUIRE(answers.find(2, 9, Sent::again).verdict == Verdict::fresh);
    REQUIRE(answers.find(3, 1, Sent::again).verdict == Verdict::known);
    REQUIRE(answers.find(3, 2, Sent::again).verdict == Verdict::fresh);
    REQUIRE(answers.find(3000, 1, Sent::again).verdict == Verdict::fresh);  // who is new was never forgotten
  }
  answers.record(1, 5, 3, 5000, reply("five"));  // an earlier number of other keys: no mark of what has run
  REQUIRE(answers.find(1, 6, Sent::again).verdict == Verdict::expired);
  REQUIRE(answers.find(1, 5, Sent::again).verdict == Verdict::known);
}

TEST_CASE("Answers.note_forgotten: what was forgotten elsewhere is refused when it is sent again, for good (R20)") {
  Answers answers;
  answers.record(7, 2, 0, 1, reply("two"));
  answers.note_forgotten(7, 4);
  answers.note_forgotten(7, 3);
  REQUIRE(answers.forgotten_below(7) == 4);
  REQUIRE(answers.find(7, 2, Sent::again).verdict == Verdict::known);
  REQUIRE(answers.find(7, 3, Sent::again).verdict == Verdict::expired);
  REQUIRE(answers.find(7, 3, Sent::once).verdict == Verdict::fresh);
  REQUIRE(answers.find(7, 4, Sent::again).verdict == Verdict::fresh);
}

TEST_CASE("Answers.record: bounded in all, and what is forgotten of those who wrote longest ago is refused") {
  Answers answers;
  const std::string big(Answers::kAnswerBytesMax - Answers::kAnswerOverheadBytes, 'x');
  constexpr Incarnation kSenders = Answers::kAllAnswerBytesMax / Answers::kAnswerBytesMax;
  for (Incarnation sender = 1; sender <= kSenders; ++sender) answers.record(sender, 1, 0, sender, reply(big));
  REQUIRE(answers.find(1, 1, Sent::once).verdict == Verdict::known);
  answers.record(kSenders + 1, 1, 0, kSenders + 1, reply("x"));
  REQUIRE(answers.find(1, 1, Sent::once).verdict == Verdict::expired);
  REQUIRE(answers.find(1, 2, Sent::once).verdict == Verdict::fresh);
  REQUIRE(answers.find(2, 1, Sent::once).verdict == Verdict::known);
  REQUIRE(answers.find(kSenders + 1, 1, Sent::once).verdict == Verdict::known);

  REQUIRE(written(answers).size() <= Answers::kAllAnswerBytesMax + answers.senders() * 32);
  Answers restored = copy_of(answers);
  for (Answers* each : {&answers, &restored}) {
    each->record(kSenders + 2, 1, 0, kSenders + 2, reply(big));
    REQUIRE(each->find(2, 1, Sent::once).verdict == Verdict::expired);
    REQUIRE(each->find(3, 1, Sent::once).verdict == Verdict::known);
  }
}

TEST_CASE("Answers.write: what it writes is what it reads") {
  Answers answers;
  answers.record(7, 5, 3, 1, reply("five"));
  answers.record(7, 6, 3, 2, {{}, 99, 1234});
  answers.record(2, 1, 0, 3, reply(""));
  answers.note_forgotten(9, 300);
  const Answers read = copy_of(answers);
  REQUIRE(written(read) == written(answers));
  REQUIRE(read.forgotten_below(9) == 300);
  REQUIRE(read.find(7, 6, Sent::once).answer->token == 99);
  REQUIRE(read.find(7, 2, Sent::once).verdict == Verdict::expired);
}

TEST_CASE("LockReply.render: validity is what is left when the reply leaves (R25)") {
  const LockReply grant{{}, 42, 1000};
  REQUIRE(grant.render(protocol::RespVersion::resp2, 400) == "*2\r\n:42\r\n:600\r\n");
  REQUIRE(grant.render(protocol::RespVersion::resp3, 5000) == "*2\r\n:42\r\n:0\r\n");
  REQUIRE(reply("+OK\r\n").render(protocol::RespVersion::resp2, 5000) == "+OK\r\n");
}

}  // namespace
}  // namespace chainring::coordinator
