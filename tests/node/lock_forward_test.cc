#include "node/lock_forward.h"

#include "base/text.h"
#include "protocol/frame.h"
#include "protocol/reply.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;
using protocol::ReplyStatus;

namespace {

const std::string kUnknown = concat("-", protocol::errors::kOutcomeUnknown, "\r\n");

// The link to the leader, played by the test; each client has one request here at most.
class Rig : private LockForward::Receiver {
 public:
  bool submit(session::ClientId client, bool write, std::string_view bytes = "x") {
    LockForward::Submission submission;
    submission.to = {client, 0};
    submission.flags = write ? protocol::kRequestWrite : 0;
    submission.bytes = bytes;
    submission.deadline = now + 3 * kMicrosPerSecond;
    return locks.submit(submission);
  }
  // "id number answered_below" of each frame that leaves.
  std::vector<std::string> sent() {
    std::string bytes;
    locks.send(bytes, now);
    std::vector<std::string> found;
    std::string_view rest = bytes;
    protocol::Frame frame;
    while (protocol::parse_frame(rest, frame) == protocol::FrameState::ready) {
      REQUIRE(frame.type == protocol::FrameType::request);
      protocol::Request header;
      std::string_view body;
      REQUIRE(protocol::split_payload(frame.payload, header, body));
      CHECK(header.slot == protocol::kNoSlot);
      CHECK(body == "x");
      last_attempt = header.attempt;
      if (protocol::sent_of(header.flags) == protocol::Sent::again) again.push_back(header.id);
      found.push_back(concat(header.id, " ", header.number, " ", header.answered_below));
      rest.remove_prefix(frame.size);
    }
    REQUIRE(rest.empty());
    return found;
  }
  bool reply(uint64_t id, ReplyStatus status, std::string_view body = {}) {
    return locks.on_reply({id, 0, status}, body, now);
  }
  // "client reply" of all that was answered since the last call.
  std::vector<std::string> answers() { return std::exchange(answered_, {}); }

  Micros now = kMicrosPerSecond;
  uint32_t last_attempt = 0;    // of what left last
  std::vector<uint64_t> again;  // ids of what said that it may have run, as often as it did
  LockForward locks{*this};

 private:
  void lock_answered(const session::Ticket& to, std::string_view reply) override {
    answered_.push_back(concat(to.client, " ", reply));
  }
  std::vector<std::string> answered_;
};

using Said = std::vector<std::string>;

}  // namespace

TEST_CASE("LockForward: writes are numbered, reads are not, and the mark follows what is answered (R20)") {
  Rig rig;
  REQUIRE(rig.submit(1, true));
  REQUIRE(rig.submit(2, false));
  REQUIRE(rig.submit(3, true));
  CHECK(rig.sent() == Said{"1 1 1", "2 0 0", "3 2 1"});
  CHECK(rig.sent().empty());
  CHECK(rig.reply(1, ReplyStatus::done, "+OK\r\n"));
  CHECK(rig.reply(2, ReplyStatus::done, "$-1\r\n"));
  CHECK(rig.answers() == Said{"1 +OK\r\n", "2 $-1\r\n"});
  REQUIRE(rig.submit(1, true));
  CHECK(rig.sent() == Said{"4 3 2"});
}

TEST_CASE("LockForward: after a change of leader a write goes again with its number, a read as well (R20)") {
  Rig rig;
  REQUIRE(rig.submit(1, true));
  REQUIRE(rig.submit(2, false));
  rig.sent();
  rig.locks.link_changed();  // the link broke
  rig.locks.link_changed();  // the next one is up
  CHECK(rig.sent() == Said{"1 1 1", "2 0 0"});
  CHECK(rig.reply(1, ReplyStatus::done, "+OK\r\n"));
  CHECK(rig.answers() == Said{"1 +OK\r\n"});
}

TEST_CASE("LockForward: a write says so when an earlier copy of it may have run (R20)") {
  Rig rig;
  for (session::ClientId client = 1; client <= 3; ++client) REQUIRE(rig.submit(client, client != 2));
  rig.sent();
  CHECK(rig.again.empty());
  CHECK(rig.reply(1, ReplyStatus::unsettled));
  CHECK(rig.reply(2, ReplyStatus::bounced));
  CHECK(rig.reply(3, ReplyStatus::not_leader));
  rig.now += LockForward::kRetryInterval;
  rig.sent();
  CHECK(rig.again == std::vector<uint64_t>{1});
  CHECK(rig.reply(1, ReplyStatus::done, "a"));
  rig.sent();
  CHECK(rig.again == std::vector<uint64_t>{1});  // it was only asked of one who does not lead
  rig.locks.link_changed();
  rig.sent();
  CHECK(rig.again == std::vector<uint64_t>{1, 3});
  CHECK(rig.reply(3, ReplyStatus::bounced));  // that is said of the last copy alone
  CHECK(rig.reply(2, ReplyStatus::bounced));
  rig.now += LockForward::kRetryInterval;
  CHECK(rig.sent().size() == 1);  // the read goes first
  CHECK(rig.reply(2, ReplyStatus::done, "a"));
  rig.sent();
  CHECK(rig.again == std::vector<uint64_t>{1, 3, 3});
}

TEST_CASE("LockForward: a coordinator that does not lead is asked by one request at a time") {
  Rig rig;
  for (session::ClientId client = 1; client <= 3; ++client) REQUIRE(rig.submit(client, false));
  rig.sent();
  for (uint64_t id = 1; id <= 3; ++id) CHECK(rig.reply(id, ReplyStatus::not_leader));
  CHECK(rig.sent().empty());
  CHECK(rig.locks.next_tick() == rig.now + LockForward::kRetryInterval);
  rig.now += LockForward::kRetryInterval;
  CHECK(rig.sent() == Said{"1 0 0"});
  CHECK(rig.sent().empty());
  CHECK(rig.reply(1, ReplyStatus::not_leader));
  rig.locks.link_changed();  // to the leader
  CHECK(rig.sent() == Said{"1 0 0"});
  CHECK(rig.reply(1, ReplyStatus::done, "a"));
  CHECK(rig.sent() == Said{"2 0 0", "3 0 0"});
}

TEST_CASE("LockForward: what leaves after a refusal is of a later attempt, which coordinators take again (R10)") {
  Rig rig;
  for (session::ClientId client = 1; client <= 2; ++client) REQUIRE(rig.submit(client, true));
  rig.sent();
  CHECK(rig.last_attempt == 0);
  for (uint64_t id = 1; id <= 2; ++id) CHECK(rig.reply(id, ReplyStatus::bounced));
  rig.now += LockForward::kRetryInterval;
  CHECK(rig.sent().size() == 1);
  CHECK(rig.last_attempt == 1);  // both were of the first one
  CHECK(rig.reply(1, ReplyStatus::unsettled));
  rig.now += LockForward::kRetryInterval;
  CHECK(rig.sent().size() == 1);
  CHECK(rig.last_attempt == 2);
  CHECK(rig.reply(1, ReplyStatus::done, "a"));
  CHECK(rig.sent().size() == 1);
  CHECK(rig.last_attempt == 2);
}

TEST_CASE("LockForward: at its deadline a write that may have run is unknown, all others were not run") {
  Rig rig;
  REQUIRE(rig.submit(1, true));
  REQUIRE(rig.submit(2, false));
  rig.sent();
  REQUIRE(rig.submit(3, true));  // never sent
  rig.now += 3 * kMicrosPerSecond;
  rig.locks.tick(rig.now - 1);
  CHECK(rig.answers().empty());
  CHECK(rig.locks.next_tick() == rig.now);
  rig.locks.tick(rig.now);
  const Said said = rig.answers();
  REQUIRE(said.size() == 3);
  CHECK(said[0] == concat("1 ", kUnknown));
  CHECK(said[1].starts_with("2 -TRYAGAIN "));
  CHECK(said[2].starts_with("3 -TRYAGAIN "));
  CHECK(rig.locks.count() == 0);
  CHECK(rig.locks.next_tick() == kNever);
  CHECK(rig.reply(1, ReplyStatus::done, "+OK\r\n"));  // late
  CHECK(rig.answers().empty());
  REQUIRE(rig.submit(4, true));
  CHECK(rig.sent() == Said{"4 3 3"});  // what was given up will not run any more
}

TEST_CASE("LockForward: a write that a leader had proposed before it ceased to lead may have run") {
  Rig rig;
  REQUIRE(rig.submit(1, true));
  rig.sent();
  CHECK(rig.reply(1, ReplyStatus::unsettled));
  rig.now += LockForward::kRetryInterval;
  CHECK(rig.sent() == Said{"1 1 1"});
  CHECK(rig.reply(1, ReplyStatus::not_leader));  // of the second time that it was sent
  rig.locks.tick(rig.now + 3 * kMicrosPerSecond);
  CHECK(rig.answers() == Said{concat("1 ", kUnknown)});
}

TEST_CASE("LockForward: a write that only those who do not lead were asked for has not run") {
  Rig rig;
  REQUIRE(rig.submit(1, true));
  rig.sent();
  CHECK(rig.reply(1, ReplyStatus::not_leader));
  rig.locks.tick(rig.now + 3 * kMicrosPerSecond);
  const Said said = rig.answers();
  REQUIRE(said.size() == 1);
  CHECK(said[0].starts_with("1 -TRYAGAIN "));
}

TEST_CASE("LockForward: a write that was only bounced has not run, and a refused number is unknown") {
  Rig rig;
  REQUIRE(rig.submit(1, true));
  REQUIRE(rig.submit(2, true));
  rig.sent();
  CHECK(rig.reply(1, ReplyStatus::bounced));
  CHECK(rig.reply(2, ReplyStatus::expired));
  CHECK(rig.answers() == Said{concat("2 ", kUnknown)});
  rig.locks.tick(rig.now + 3 * kMicrosPerSecond);
  const Said said = rig.answers();
  REQUIRE(said.size() == 1);
  CHECK(said[0].starts_with("1 -TRYAGAIN "));
}

TEST_CASE("LockForward: answers to nothing that was asked are told from late ones") {
  Rig rig;
  REQUIRE(rig.submit(1, false));
  CHECK_FALSE(rig.reply(1, ReplyStatus::done));  // it is not out
  CHECK_FALSE(rig.reply(2, ReplyStatus::done));
  rig.sent();
  CHECK(rig.reply(1, ReplyStatus::done));
  CHECK(rig.reply(1, ReplyStatus::done));
  CHECK(rig.answers().size() == 1);
}

TEST_CASE("LockForward: takes no more than its limits") {
  Rig rig;
  for (size_t i = 0; i < LockForward::kRequestsMax; ++i) REQUIRE(rig.submit(i, false));
  CHECK_FALSE(rig.submit(9999, false));
  Rig large;
  const std::string half(LockForward::kRequestBytesMax / 2 + 1, 'x');
  CHECK(large.submit(1, false, half));
  CHECK_FALSE(large.submit(2, false, half));
  CHECK(large.submit(3, false));
}
