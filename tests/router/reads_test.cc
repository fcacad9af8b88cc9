// Reads that go to any member of a chain (R5, R10, R12, R20, R21), and what becomes of them while members refuse them,
// fall silent or go.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <utility>

#include "base/text.h"
#include "protocol/reply.h"
#include "router/flush.h"
#include "tests/router/rig.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using protocol::ReplyStatus;
using test::Arrived;
using test::key_in;
using test::Rig;

const std::string kKey = key_in(0);
const std::string kSameSlot = concat("{", kKey, "}other");
constexpr std::array<MemberId, 3> kMembers = {1, 2, 3};
constexpr MemberId kHead = 1;

// What has arrived somewhere.
struct At {
  MemberId member;
  Arrived what;
  [[nodiscard]] uint64_t id() const { return what.header.id; }
  [[nodiscard]] bool for_any() const { return (what.header.flags & protocol::kRequestAnyMember) != 0; }
  [[nodiscard]] std::string text() const {
    std::string words;
    for (const std::string& arg : what.args) append_text(words, words.empty() ? "" : " ", arg);
    return words;
  }
};

// A router in front of one chain of three for all slots. Reads do not keep to the head, unless the options say so.
struct Chain {
  explicit Chain(test::RigOptions options = {}) : rig(spreading(std::move(options))) {
    rig.publish(rig.chain_table({1, 2, 3}));
  }
  static test::RigOptions spreading(test::RigOptions options) {
    options.settings.try_emplace(Setting::read_locality, "0");
    return options;
  }

  std::vector<At> arrived() {
    std::vector<At> all;
    for (const MemberId member : kMembers) {
      for (Arrived& one : rig.requests(member)) all.push_back({member, std::move(one)});
    }
    return all;
  }
  At only() {
    std::vector<At> all = arrived();
    REQUIRE(all.size() == 1);
    return all[0];
  }
  // The client's GET, out at `member`: asked and answered until it happens to go there.
  At get_at(ConnId reader, MemberId member) {
    for (int i = 0; i < 200; ++i) {
      rig.request(reader, {"GET", kKey});
      At at = only();
      if (at.member == member) return at;
      rig.reply(at.member, at.id(), "$-1\r\n");
      CHECK(rig.read(reader) == "$-1\r\n");
    }
    FAIL("no read went to member " << member);
    return {};
  }
  // So many requests that are asked again, all of one member that is not the head.
  std::vector<At> again_elsewhere(size_t count) {
    std::vector<At> again = arrived();
    REQUIRE(again.size() == count);
    CHECK(again[0].member != kHead);
    for (const At& at : again) CHECK(at.member == again[0].member);
    return again;
  }
  // The client is told what is found there, and nothing else.
  void answer_anew(const std::vector<At>& again) {
    std::string told;
    for (const At& at : again) {
      rig.reply(at.member, at.id(), "$3\r\nnew\r\n");
      told.append("$3\r\nnew\r\n");
    }
    CHECK(rig.read(client) == told);
  }
  void refer(const At& at) { rig.reply(at.member, at.id(), {}, 1, ReplyStatus::ask_head); }

  Rig rig;
  ConnId client = rig.connect();
};

// ---- who is asked

TEST_CASE("Router reads: go to all members of the chain, and say that any may answer") {
  Chain chain;
  std::map<MemberId, int> counts;
  for (int i = 0; i < 300; ++i) {
    chain.rig.request(chain.client, {"GET", kKey});
    const At at = chain.only();
    CHECK(at.for_any());
    ++counts[at.member];
    chain.rig.reply(at.member, at.id(), "$1\r\nx\r\n");
    REQUIRE(chain.rig.read(chain.client) == "$1\r\nx\r\n");
  }
  for (const MemberId member : kMembers) CHECK(counts[member] > 50);
  chain.rig.request(chain.client, {"SET", kKey, "1"});
  const At write = chain.only();
  CHECK(write.member == kHead);
  CHECK_FALSE(write.for_any());
}

TEST_CASE("Router reads: with read-from head they go to the head, also when that is set later") {
  Chain chain({.settings = {{Setting::read_from, "head"}}});
  for (int i = 0; i < 50; ++i) chain.rig.request(chain.client, {"GET", kKey});
  const std::vector<At> all = chain.arrived();
  REQUIRE(all.size() == 50);
  for (const At& at : all) {
    CHECK(at.member == kHead);
    CHECK_FALSE(at.for_any());
    chain.rig.reply(at.member, at.id(), "$-1\r\n");
  }
  static_cast<void>(chain.rig.read(chain.client));
  chain.rig.request(chain.client, {"CONFIG", "SET", "read-from", "any"});
  CHECK(chain.rig.read(chain.client) == "+OK\r\n");
  static_cast<void>(chain.get_at(chain.client, 3));
  chain.rig.request(chain.client, {"CONFIG", "SET", "read-from", "head"});
  const ConnId other = chain.rig.connect();
  for (int i = 0; i < 50; ++i) chain.rig.request(other, {"GET", kKey});
  CHECK(chain.rig.requests(kHead).size() == 50);
}

TEST_CASE("Router reads: a member that keeps its answers gets fewer of them") {
  Chain chain;
  for (int i = 0; i < 40; ++i) {
    chain.rig.request(chain.rig.connect(), {"GET", key_in(static_cast<Slot>(i))});
    for (const At& at : chain.arrived()) {
      if (at.member != 2) chain.rig.reply(at.member, at.id(), "$-1\r\n");
    }
  }
  CHECK(chain.rig.router->outstanding() <= 3);
}

TEST_CASE("Router reads: keep to the heads while these owe hardly more than others") {
  Chain chain({.settings = {{Setting::read_locality, "16"}}});
  Slot slot = 0;
  const auto ask = [&] { chain.rig.request(chain.rig.connect(), {"GET", key_in(slot++)}); };
  for (int i = 0; i < 16; ++i) ask();
  CHECK(chain.rig.requests(kHead).size() == 16);
  for (int i = 0; i < 20; ++i) ask();
  const std::vector<At> more = chain.arrived();
  REQUIRE(more.size() == 20);
  const auto at_head = std::count_if(more.begin(), more.end(), [](const At& at) { return at.member == kHead; });
  CHECK(at_head > 0);   // as much more as the others carry
  CHECK(at_head < 10);  // who have the most of it
}

TEST_CASE("Router reads: those of one hot slot go to all of its members, however little the head owes") {
  Chain chain({.settings = {{Setting::read_locality, "1000"}}});
  std::map<MemberId, int> counts;
  for (int i = 0; i < 24; ++i) chain.rig.request(chain.rig.connect(), {"GET", kKey});
  for (const At& at : chain.arrived()) ++counts[at.member];
  for (const MemberId member : kMembers) CHECK(std::abs(counts[member] - 8) <= 2);
  chain.rig.request(chain.rig.connect(), {"GET", key_in(1)});
  CHECK(chain.only().member == kHead);
}

TEST_CASE("Router reads: what is one member's own, a lock or a mark to watch is asked where it was before") {
  Chain chain;
  Rig& rig = chain.rig;
  for (int i = 0; i < 20; ++i) rig.request(rig.connect(), {"OBJECT", "IDLETIME", kKey});
  for (int i = 0; i < 20; ++i) rig.request(rig.connect(), {"TOUCH", kKey});
  for (int i = 0; i < 20; ++i) rig.request(rig.connect(), {"WATCH", kKey});
  CHECK(rig.requests(kHead).size() == 60);
  for (int i = 0; i < 20; ++i) rig.request(rig.connect(), {"GET", "lock:x"});
  const auto at_leader = rig.requests(kNoMember);
  REQUIRE(at_leader.size() == 20);
  CHECK(at_leader[0].header.flags == 0);
}

TEST_CASE("Router reads: the legs of MGET and EXISTS go to any member, those of MSET to the heads") {
  Chain chain;
  Rig& rig = chain.rig;
  std::vector<std::string> keys;
  for (Slot slot = 0; slot < 60; ++slot) keys.push_back(key_in(slot));
  for (const std::string_view name : {"MGET", "EXISTS"}) {
    std::vector<std::string_view> words{name};
    words.insert(words.end(), keys.begin(), keys.end());
    rig.request(rig.connect(), words);
    std::map<MemberId, int> counts;
    for (const At& at : chain.arrived()) {
      CHECK(at.for_any());
      ++counts[at.member];
    }
    for (const MemberId member : kMembers) CHECK(counts[member] > 5);
  }
  rig.request(rig.connect(), {"MSET", keys[0], "1", keys[1], "2"});
  CHECK(rig.requests(kHead).size() == 2);
}

TEST_CASE("Router reads: are counted by who was asked") {
  Chain chain;
  static_cast<void>(chain.get_at(chain.client, 2));
  chain.rig.request(chain.rig.connect(), {"TOUCH", kKey});
  MetricsWriter metrics;
  chain.rig.router->metrics({}, metrics);
  const auto value = [&](std::string_view line) {
    const size_t at = metrics.text().find(line);
    REQUIRE(at != std::string::npos);
    return std::stoull(metrics.text().substr(at + line.size()));
  };
  CHECK(value("chainring_router_reads_total{member=\"head\"} ") >= 1);
  CHECK(value("chainring_router_reads_total{member=\"other\"} ") >= 1);
}

// ---- the order of one client (R10)

TEST_CASE("Router reads: behind a write of the same client that is not answered they go to the head") {
  Chain chain;
  Rig& rig = chain.rig;
  for (int i = 0; i < 20; ++i) {
    const ConnId client = rig.connect();
    rig.request(client, {"SET", kKey, "1"});
    rig.request(client, {"GET", kKey});
    rig.request(client, {"GET", kSameSlot});
  }
  const std::vector<At> all = chain.arrived();
  REQUIRE(all.size() == 60);
  for (const At& at : all) {
    CHECK(at.member == kHead);
    CHECK_FALSE(at.for_any());
  }
}

TEST_CASE("Router reads: those of one client for one slot that are out together go to one member") {
  Chain chain;
  Rig& rig = chain.rig;
  const ConnId others = rig.connect();
  for (int i = 0; i < 30; ++i) rig.request(others, {"GET", key_in(static_cast<Slot>(i + 1))});  // loads the members
  static_cast<void>(chain.arrived());
  for (int round = 0; round < 20; ++round) {
    const ConnId client = rig.connect();
    for (int i = 0; i < 5; ++i) rig.request(client, {"GET", kKey});
    const std::vector<At> all = chain.arrived();
    REQUIRE(all.size() == 5);
    for (const At& at : all) {
      CHECK(at.member == all[0].member);
      CHECK(at.for_any());
    }
  }
}

TEST_CASE("Router reads: a write waits for its client's read at another member, nobody else's does") {
  Chain chain;
  Rig& rig = chain.rig;
  const At read = chain.get_at(chain.client, 3);
  const ConnId other = rig.connect();
  rig.request(other, {"SET", kKey, "x"});
  const At write = chain.only();
  CHECK(write.text() == concat("SET ", kKey, " x"));
  rig.reply(kHead, write.id(), "+OK\r\n");
  rig.request(chain.client, {"SET", kKey, "a"});
  CHECK(chain.arrived().empty());
  rig.reply(3, read.id(), "$1\r\nx\r\n");
  CHECK(chain.only().text() == concat("SET ", kKey, " a"));
}

TEST_CASE("Router reads: nothing that only a head can tell passes its client's read, be it no write either") {
  Chain chain;
  Rig& rig = chain.rig;
  const At read = chain.get_at(chain.client, 2);
  rig.request(chain.client, {"OBJECT", "IDLETIME", kKey});
  CHECK(chain.arrived().empty());
  rig.reply(2, read.id(), "$-1\r\n");
  CHECK(chain.only().text() == concat("OBJECT IDLETIME ", kKey));
}

TEST_CASE("Router reads: FLUSHALL waits at a slot at which its client's read is out elsewhere, until it is answered") {
  Chain chain;
  Rig& rig = chain.rig;
  const At read = chain.get_at(chain.client, 2);
  rig.request(chain.client, {"FLUSHALL"});
  const auto others = rig.requests(kHead);
  CHECK(others.size() == Flush::kSlotsOut - 1);
  CHECK(std::none_of(others.begin(), others.end(), [](const auto& one) { return one.header.slot == 0; }));
  rig.reply(2, read.id(), "$-1\r\n");
  const auto then = rig.requests(kHead);
  REQUIRE(then.size() == 1);
  CHECK(then[0].header.slot == 0);
}

TEST_CASE("Router reads: after a write was given up the head is asked first, which then runs it no more (R20)") {
  Chain chain;
  Rig& rig = chain.rig;
  rig.request(chain.client, {"SET", kKey, "1"});
  CHECK(chain.only().member == kHead);
  rig.advance(3000);
  CHECK(rig.read(chain.client) == concat('-', protocol::errors::kOutcomeUnknown, "\r\n"));
  const ConnId reader = rig.connect();
  std::vector<uint64_t> ids;
  for (int i = 0; i < 20; ++i) {
    rig.request(reader, {"GET", kKey});
    const At at = chain.only();
    CHECK(at.member == kHead);
    CHECK(at.what.header.answered_below == 2);
    ids.push_back(at.id());
  }
  for (const uint64_t id : ids) rig.reply(kHead, id, "$-1\r\n");
  static_cast<void>(rig.read(reader));
  static_cast<void>(chain.get_at(reader, 3));
}

// ---- members that cannot answer

TEST_CASE("Router reads: what a member refers to the head goes there, and parks nothing (R12, R21)") {
  Chain chain;
  Rig& rig = chain.rig;
  const At read = chain.get_at(chain.client, 2);
  chain.refer(read);
  const At again = chain.only();
  CHECK(again.member == kHead);
  CHECK_FALSE(again.for_any());
  const ConnId other = rig.connect();
  rig.request(other, {"SET", kKey, "x"});
  CHECK(chain.only().member == kHead);
  rig.reply(kHead, again.id(), "$-1\r\n");
  CHECK(rig.read(chain.client) == "$-1\r\n");
}

TEST_CASE("Router reads: behind one that was referred to the head, its client's later ones follow in their order") {
  Chain chain;
  Rig& rig = chain.rig;
  const At first = chain.get_at(chain.client, 2);
  rig.request(chain.client, {"STRLEN", kKey});
  const At second = chain.only();
  REQUIRE(second.member == 2);
  chain.refer(first);
  const std::vector<At> again = chain.arrived();
  REQUIRE(again.size() == 2);
  CHECK(again[0].member == kHead);
  CHECK(again[0].text() == concat("GET ", kKey));
  CHECK(again[1].member == kHead);
  CHECK(again[1].text() == concat("STRLEN ", kKey));
  rig.reply(2, second.id(), ":99\r\n");  // of before
  rig.request(chain.client, {"SET", kKey, "abc"});
  CHECK(chain.arrived().empty());
  rig.reply(kHead, again[0].id(), "$2\r\nab\r\n");
  rig.reply(kHead, again[1].id(), ":2\r\n");
  CHECK(rig.read(chain.client) == "$2\r\nab\r\n:2\r\n");
  CHECK(chain.only().text() == concat("SET ", kKey, " abc"));
}

TEST_CASE("Router reads: one that is referred waits for its client's earlier one, which a member holds") {
  Chain chain;
  Rig& rig = chain.rig;
  const At held = chain.get_at(chain.client, 2);
  rig.request(chain.client, {"TTL", kSameSlot});
  const At referred = chain.only();
  REQUIRE(referred.member == 2);
  chain.refer(referred);
  CHECK(chain.arrived().empty());
  rig.reply(2, held.id(), "$1\r\nx\r\n");
  CHECK(chain.only().text() == concat("TTL ", kSameSlot));
}

TEST_CASE("Router reads: an answer of an older epoch than is known is not taken, and the head is asked (R5)") {
  Chain chain;
  Rig& rig = chain.rig;
  const At read = chain.get_at(chain.client, 3);
  rig.publish(rig.chain_table({1, 2, 3}, 4));
  rig.reply(3, read.id(), "$5\r\nstale\r\n", 3);
  CHECK(rig.read(chain.client).empty());
  const At again = chain.only();
  CHECK(again.member == kHead);
  CHECK(again.what.header.epoch == 4);
  rig.reply(kHead, again.id(), "$5\r\nfresh\r\n", 4);
  CHECK(rig.read(chain.client) == "$5\r\nfresh\r\n");
}

TEST_CASE("Router reads: what the slot left behind at a member is asked of the head (R20)") {
  Chain chain;
  const At read = chain.get_at(chain.client, 3);
  chain.rig.reply(3, read.id(), {}, 1, ReplyStatus::unsettled);
  CHECK(chain.only().member == kHead);
}

TEST_CASE("Router reads: when a member's link breaks, the head is asked at once, for all that was out there") {
  Chain chain;
  Rig& rig = chain.rig;
  rig.accept_links(false);
  static_cast<void>(chain.get_at(chain.client, 2));
  rig.request(chain.client, {"GET", kSameSlot});
  CHECK(chain.only().member == 2);
  rig.break_link(2);
  const std::vector<At> again = chain.arrived();
  REQUIRE(again.size() == 2);
  CHECK(again[0].member == kHead);
  CHECK(again[1].member == kHead);
  CHECK(again[0].text() == concat("GET ", kKey));
  CHECK(again[1].text() == concat("GET ", kSameSlot));
  rig.request(rig.connect(), {"SET", kKey, "1"});
  CHECK(chain.only().member == kHead);  // nothing is parked
}

TEST_CASE("Router reads: go on at the others while writes wait for another head") {
  Chain chain;
  Rig& rig = chain.rig;
  rig.accept_links(false);
  const At read = chain.get_at(chain.client, kHead);
  CHECK(read.for_any());
  rig.break_link(kHead);
  const At again = chain.only();
  CHECK(again.member != kHead);
  const ConnId writer = rig.connect();
  rig.request(writer, {"SET", kKey, "1"});
  rig.request(writer, {"GET", kKey});
  CHECK(chain.arrived().empty());  // a read behind a write waits with it
  rig.request(rig.connect(), {"GET", kKey});
  CHECK(chain.only().member != kHead);
  rig.publish(rig.chain_table({2, 3}, 2));
  const At write = chain.only();  // the first one alone
  CHECK(write.member == 2);
  CHECK(write.text() == concat("SET ", kKey, " 1"));
}

TEST_CASE("Router reads: who is out of the chain is not waited for") {
  Chain chain;
  Rig& rig = chain.rig;
  const At read = chain.get_at(chain.client, 3);
  rig.publish(rig.chain_table({1, 2, 3}, 2));
  CHECK(chain.arrived().empty());  // it is still in the chain, and will answer
  rig.publish(rig.chain_table({1, 2}, 3));
  CHECK(chain.only().member != 3);
}

TEST_CASE("Router reads: a member that says nothing costs a read 50 ms, and is asked no more until it speaks") {
  Chain chain;
  Rig& rig = chain.rig;
  const At stuck = chain.get_at(chain.client, 2);
  rig.request(chain.client, {"GET", kSameSlot});
  CHECK(chain.only().member == 2);
  rig.advance(49);
  CHECK(chain.arrived().empty());
  rig.advance(2);
  const std::vector<At> again = chain.arrived();
  REQUIRE(again.size() == 2);
  CHECK(again[0].member == again[1].member);
  CHECK(again[0].member != 2);
  for (const At& at : again) rig.reply(at.member, at.id(), "$1\r\nx\r\n");
  CHECK(rig.read(chain.client) == "$1\r\nx\r\n$1\r\nx\r\n");
  for (int i = 0; i < 40; ++i) {
    rig.request(chain.client, {"GET", kKey});
    const At at = chain.only();
    CHECK(at.member != 2);
    rig.reply(at.member, at.id(), "$-1\r\n");
    static_cast<void>(rig.read(chain.client));
  }
  rig.reply(2, stuck.id(), "$5\r\nstale\r\n");
  CHECK(rig.read(chain.client).empty());
  rig.reply(2, stuck.id() + 1, "$5\r\nstale\r\n");
  static_cast<void>(chain.get_at(chain.client, 2));
}

TEST_CASE("Router reads: a head that says nothing keeps the writes, and what comes behind them") {
  Chain chain;
  Rig& rig = chain.rig;
  const ConnId reader = rig.connect();
  static_cast<void>(chain.get_at(reader, kHead));
  rig.request(chain.client, {"SET", kKey, "1"});
  rig.request(chain.client, {"GET", kKey});
  CHECK(rig.requests(kHead).size() == 2);
  rig.advance(51);
  const At again = chain.only();
  CHECK(again.member != kHead);
  rig.reply(again.member, again.id(), "$-1\r\n");
  CHECK(rig.read(reader) == "$-1\r\n");
  rig.advance(200);
  CHECK(chain.arrived().empty());
}

// Two reads of one slot, the second answered by the head before the first.
struct HeldRead : Chain {
  explicit HeldRead(test::RigOptions options = {}) : Chain(std::move(options)) {
    first = get_at(client, kHead);
    rig.request(client, {"GET", kSameSlot});
    second = only();
    REQUIRE(second.member == kHead);
    rig.reply(kHead, second.id(), "$3\r\nold\r\n");
  }
  At first;
  At second;
};

TEST_CASE("Router reads: an answer is held while the client's earlier request of the slot is out") {
  HeldRead held;
  Rig& rig = held.rig;
  CHECK(rig.read(held.client).empty());
  rig.request(held.client, {"SET", kKey, "1"});  // the held read might have to be asked again, and must not see this
  CHECK(held.arrived().empty());
  const ConnId other = rig.connect();
  rig.request(other, {"GET", kKey});  // which is nobody else's affair, nor do they wait
  const At of_other = held.only();
  rig.reply(of_other.member, of_other.id(), "$-1\r\n");
  CHECK(rig.read(other) == "$-1\r\n");
  rig.reply(kHead, held.first.id(), "$5\r\nfirst\r\n");
  CHECK(rig.read(held.client) == "$5\r\nfirst\r\n$3\r\nold\r\n");
  CHECK(held.only().text() == concat("SET ", kKey, " 1"));
}

TEST_CASE("Router reads: what a client has not been told is asked again behind an earlier request that came back") {
  HeldRead held;
  Rig& rig = held.rig;
  rig.break_link(kHead);
  const std::vector<At> again = held.again_elsewhere(2);
  CHECK(again[0].text() == concat("GET ", kKey));
  CHECK(again[1].text() == concat("GET ", kSameSlot));
  held.answer_anew(again);
}

TEST_CASE("Router reads: what a client has not been told follows to the member that is asked for the silent head") {
  HeldRead held;
  Rig& rig = held.rig;
  rig.request(held.client, {"GET", kKey});
  const At third = held.only();
  CHECK(third.member == kHead);
  rig.advance(51);
  const std::vector<At> again = held.again_elsewhere(3);
  CHECK(again[1].text() == concat("GET ", kSameSlot));
  rig.reply(kHead, third.id(), "$3\r\nold\r\n");  // before the others, and too late
  held.answer_anew(again);
}

TEST_CASE("Router reads: a held one follows the last of those before it that goes to another member") {
  Chain chain;
  Rig& rig = chain.rig;
  static_cast<void>(chain.get_at(chain.client, kHead));
  for (int i = 0; i < 2; ++i) rig.request(chain.client, {"GET", kSameSlot});
  const std::vector<At> others = chain.arrived();
  REQUIRE(others.size() == 2);
  rig.reply(kHead, others[1].id(), "$3\r\nold\r\n");
  SECTION("of a head that is silent") { rig.advance(51); }
  SECTION("of a head that is lost") { rig.break_link(kHead); }
  chain.answer_anew(chain.again_elsewhere(3));
}

TEST_CASE("Router reads: none stays at a silent head behind one that went to another member") {
  Chain chain;
  Rig& rig = chain.rig;
  rig.request(chain.client, {"SET", kKey, "1"});
  rig.request(chain.client, {"GET", kKey});
  rig.request(chain.client, {"OBJECT", "ENCODING", kKey});
  const std::vector<Arrived> sent = rig.requests(kHead);
  REQUIRE(sent.size() == 3);
  rig.reply(kHead, sent[0].header.id, "+OK\r\n");
  CHECK(rig.read(chain.client) == "+OK\r\n");
  rig.advance(51);
  const At read = chain.only();
  CHECK(read.member != kHead);
  rig.reply(read.member, read.id(), "$3\r\nnew\r\n");
  rig.reply(kHead, sent[2].header.id, "$3\r\nold\r\n");  // what the head said before that read
  CHECK(rig.read(chain.client) == "$3\r\nnew\r\n");
  const At again = chain.only();
  CHECK(again.member == kHead);
  CHECK(again.text() == concat("OBJECT ENCODING ", kKey));
  rig.reply(kHead, again.id(), "$3\r\nint\r\n");
  CHECK(rig.read(chain.client) == "$3\r\nint\r\n");
}

TEST_CASE("Router reads: behind a write that was bounced an answered read is asked again, at its place in the order") {
  Chain chain;
  Rig& rig = chain.rig;
  rig.request(chain.client, {"SET", kKey, "1"});
  rig.request(chain.client, {"GET", kSameSlot});
  std::vector<Arrived> sent = rig.requests(kHead);
  REQUIRE(sent.size() == 2);
  rig.reply(kHead, sent[1].header.id, "$3\r\nold\r\n");
  rig.bounce(kHead, sent[0].header.id);
  rig.advance(10);
  const At write = chain.only();
  CHECK(write.text() == concat("SET ", kKey, " 1"));
  rig.reply(kHead, write.id(), "+OK\r\n");
  CHECK(rig.read(chain.client) == "+OK\r\n");
  const At read = chain.only();
  CHECK(read.text() == concat("GET ", kSameSlot));
  rig.reply(read.member, read.id(), "$3\r\nnew\r\n");
  CHECK(rig.read(chain.client) == "$3\r\nnew\r\n");
}

TEST_CASE("Router reads: a held answer is given when the earlier request is given up") {
  HeldRead held({.settings = {{Setting::read_from, "head"}}});
  Rig& rig = held.rig;
  rig.advance(2'900);
  CHECK(rig.read(held.client).empty());
  rig.advance(200);
  CHECK(rig.read(held.client) == concat(test::kDown, "$3\r\nold\r\n"));
}

TEST_CASE("Router reads: of more answers than may be held, the rest is asked for again") {
  Chain chain;
  Rig& rig = chain.rig;
  const At first = chain.get_at(chain.client, kHead);
  const std::string big(kHeldBytesMax / 2, 'x');
  const std::string reply = concat("$", big.size(), "\r\n", big, "\r\n");
  for (int i = 0; i < 2; ++i) rig.request(chain.client, {"GET", kSameSlot});
  const std::vector<At> others = chain.arrived();
  REQUIRE(others.size() == 2);
  for (const At& at : others) rig.reply(kHead, at.id(), reply);
  CHECK(chain.arrived().empty());  // the second one could overtake the first
  rig.reply(kHead, first.id(), "$-1\r\n");
  CHECK((rig.read(chain.client) == concat("$-1\r\n", reply)));  // megabytes, not to be shown
  rig.advance(10);
  const At again = chain.only();
  CHECK(again.text() == concat("GET ", kSameSlot));
  rig.reply(again.member, again.id(), reply);
  CHECK((rig.read(chain.client) == reply));
}

TEST_CASE("Router reads: when all are silent nothing is asked twice, and a read is given up at its deadline") {
  Chain chain;
  Rig& rig = chain.rig;
  rig.request(chain.client, {"GET", kKey});
  size_t asked = 0;
  for (int i = 0; i < 3000; ++i) {
    asked += chain.arrived().size();
    rig.advance(1);
  }
  CHECK(asked == 2);
  CHECK(rig.read(chain.client) == test::kDown);
  CHECK(rig.router->outstanding() == 0);
}

}  // namespace
}  // namespace chainring::router
