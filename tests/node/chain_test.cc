#include "tests/node/chain_world.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;
using chainring::node::testing::ChainWorld;

namespace {

constexpr Slot kSlot = 5;

std::vector<std::string> log_of(ChainWorld& world, MemberId id) { return world.member(id).log.applied[kSlot]; }

bool has_learned_all(ChainWorld& world, MemberId id) {
  const std::vector<protocol::LearnedRun> runs = world.member(id).chains.learned().runs;
  return runs.size() == 1 && runs[0].first == 0 && runs[0].last == kSlotCount - 1;
}

// The chain {1, 2, 3} loses its head, and the others promise to go on: 2 has both of its records, 3 has none.
void lose_head(ChainWorld& world) {
  world.found({1, 2, 3});
  world.execute(1, kSlot, "x");
  world.execute(1, kSlot, "y");
  world.deliver_one({1, 2});
  world.deliver_one({1, 2});
  world.member(1).alive = false;
  world.clear_links();
  world.publish(1, {1, 2, 3}, 2, {2, 3});
  world.show_all();
}

}  // namespace

TEST_CASE("Chains: a record goes down the chain and its acknowledgement comes back up") {
  ChainWorld world(3);
  world.found({1, 2, 3});
  const Sequence sequence = world.execute(1, kSlot, "set a 1");
  CHECK(sequence == 1);
  CHECK(world.member(1).chains.committed(kSlot) == 0);
  world.deliver_all();
  for (MemberId id = 1; id <= 3; ++id) {
    CHECK(log_of(world, id) == std::vector<std::string>{"set a 1"});
    CHECK(world.member(id).chains.committed(kSlot) == 1);
  }
}

TEST_CASE("Chains: a chain of one commits at once") {
  ChainWorld world(1);
  world.found({1});
  world.execute(1, kSlot, "x");
  CHECK(world.member(1).chains.committed(kSlot) == 1);
  CHECK(world.member(1).chains.uncommitted_bytes() == 0);
}

TEST_CASE("Chains: nothing is committed before the tail has applied it") {
  ChainWorld world(3);
  world.found({1, 2, 3});
  world.execute(1, kSlot, "x");
  world.deliver_one({1, 2});
  CHECK(world.member(2).chains.applied(kSlot) == 1);
  CHECK(world.member(1).chains.committed(kSlot) == 0);
  CHECK(world.member(2).chains.committed(kSlot) == 0);
}

TEST_CASE("Chains: only the head of the active epoch heads a slot") {
  ChainWorld world(3);
  CHECK_FALSE(world.member(1).chains.heads(kSlot, 0));
  world.found({2, 1});
  CHECK(world.member(2).chains.heads(kSlot, 0));
  CHECK(world.member(2).chains.heads(kSlot, 1));
  CHECK_FALSE(world.member(2).chains.heads(kSlot, 2));  // the asker's table is newer
  CHECK_FALSE(world.member(1).chains.heads(kSlot, 0));
  CHECK_FALSE(world.member(3).chains.heads(kSlot, 0));
}

TEST_CASE("Chains: a promise stops requests, records and acknowledgements of the old epoch (R15)") {
  ChainWorld world(3);
  world.found({1, 2, 3});
  world.execute(1, kSlot, "x");
  world.deliver_one({1, 2});
  world.publish(1, {1, 2, 3}, 2, {2, 3});
  world.show(3);
  world.deliver_all();  // 2 forwards to 3, which has promised
  CHECK(world.member(3).chains.applied(kSlot) == 0);
  CHECK(world.member(1).chains.committed(kSlot) == 0);
  world.show(1);
  CHECK_FALSE(world.member(1).chains.heads(kSlot, 0));
  const auto statement = world.member(1).chains.stopped();
  REQUIRE(statement.size() == 1);
  CHECK(statement[0].epoch == 2);
  CHECK(statement[0].runs[0].first == 0);
  CHECK(statement[0].runs[0].applied.at(kSlot) == 1);
}

TEST_CASE("Chains: an acknowledgement that comes after the promise commits nothing (R15)") {
  ChainWorld world(2);
  world.found({1, 2});
  world.execute(1, kSlot, "x");
  world.deliver_one({1, 2});  // the tail applies and acknowledges
  world.publish(1, {1, 2}, 2, {2});
  world.show(1);
  world.deliver_all();
  CHECK(world.member(1).chains.committed(kSlot) == 0);
}

TEST_CASE("Chains: levelling brings the new chain to the highest number, and activation commits it (R15)") {
  ChainWorld world(3);
  lose_head(world);
  world.member(2).chains.on_level({2, {{kSlot, 3, 0, 2}}});
  CHECK(world.member(2).chains.wanted_links() == std::vector<MemberId>{3});
  world.pump(2);
  world.deliver_all();
  CHECK(log_of(world, 3) == std::vector<std::string>{"x", "y"});
  CHECK(world.member(3).chains.committed(kSlot) == 0);
  CHECK(world.member(3).chains.take_stopped_due());
  world.publish(2, {2, 3});
  world.show_all();
  CHECK(world.member(2).chains.heads(kSlot, 2));
  CHECK(world.member(2).chains.committed(kSlot) == 2);
  CHECK(world.member(3).chains.committed(kSlot) == 2);
  world.execute(2, kSlot, "z");
  world.deliver_all();
  CHECK(log_of(world, 3) == std::vector<std::string>{"x", "y", "z"});
}

TEST_CASE("Chains.on_level: what was asked for is sent once on each link") {
  ChainWorld world(3);
  lose_head(world);
  Chains& donor = world.member(2).chains;
  donor.on_level({2, {{kSlot, 3, 0, 1}}});
  world.pump(2);
  CHECK(world.pending());
  world.clear_links();  // it had not come
  donor.link_up(3);
  world.pump(2);
  world.deliver_all();
  CHECK(log_of(world, 3) == std::vector<std::string>{"x"});
  donor.on_level({2, {{kSlot, 3, 0, 1}}});  // the asking came twice
  world.pump(2);
  CHECK_FALSE(world.pending());
  donor.on_level({2, {{kSlot, 3, 1, 2}}});
  world.pump(2);
  world.deliver_all();
  CHECK(log_of(world, 3) == std::vector<std::string>{"x", "y"});
}

TEST_CASE("Chains: a record of an epoch not taken up yet is asked for again after the activation") {
  ChainWorld world(2);
  world.publish(0, {}, 1, {1, 2});
  world.show_all();
  world.publish(1, {1, 2});
  world.show(1);
  world.execute(1, kSlot, "x");
  world.deliver_all();
  CHECK(world.member(2).chains.applied(kSlot) == 0);
  world.show(2);
  world.deliver_all();
  CHECK(log_of(world, 2) == std::vector<std::string>{"x"});
  CHECK(world.member(1).chains.committed(kSlot) == 1);
}

TEST_CASE("Chains: a learner asks again for a record of the epoch that makes it a member") {
  ChainWorld world(2);
  world.publish(0, {}, 1, {1});
  world.show_all();
  world.publish(1, {1}, 0, {}, {1, 2});
  world.show_all();
  world.pump(2);
  for (world.deliver_all(); !has_learned_all(world, 2); world.deliver_all()) world.pump(1);
  world.publish(1, {1}, 2, {1, 2}, {1, 2});
  world.show_all();
  world.deliver_all();
  world.publish(2, {1, 2});
  world.show(1);
  world.execute(1, kSlot, "x");
  world.deliver_all();
  CHECK(world.member(2).chains.applied(kSlot) == 0);
  world.show(2);
  world.deliver_all();
  CHECK(log_of(world, 2).back() == "x");
  CHECK(world.member(1).chains.committed(kSlot) == 1);
}

TEST_CASE("Chains: what a broken link lost is sent again when it comes up, and duplicates are dropped") {
  ChainWorld world(2);
  world.found({1, 2});
  world.execute(1, kSlot, "x");
  world.break_link(1, 2);
  world.deliver_one({1, 2});
  world.break_link(1, 2);  // the acknowledgement is lost
  world.deliver_all();
  CHECK(log_of(world, 2) == std::vector<std::string>{"x"});
  CHECK(world.member(1).chains.committed(kSlot) == 1);
}

TEST_CASE("Chains: a member that is not in the new chain drops the slot and keeps its promise") {
  ChainWorld world(3);
  world.found({1, 2, 3});
  world.execute(1, kSlot, "x");
  world.deliver_all();
  world.publish(1, {1, 2, 3}, 2, {2, 3});
  world.show_all();
  world.publish(2, {2, 3});
  world.show_all();
  CHECK(world.member(1).log.applied.count(kSlot) == 0);
  CHECK(world.member(1).chains.applied(kSlot) == 0);
  CHECK_FALSE(world.member(1).chains.heads(kSlot, 0));
  CHECK(world.member(1).chains.view(kSlot).promised == 2);
}

TEST_CASE("Chains: an effect that cannot be applied ends the member's part in its chains (R9)") {
  ChainWorld world(2);
  world.found({1, 2});
  world.execute(1, kSlot, "poison");
  world.deliver_all();
  CHECK_FALSE(world.member(2).chains.broken().ok());
  CHECK(world.member(2).chains.applied(kSlot) == 0);
  CHECK(world.member(1).chains.committed(kSlot) == 0);
}

TEST_CASE("Chains: a reply rests on the last uncommitted record of its own keys only (R7)") {
  ChainWorld world(2);
  world.found({1, 2});
  Chains& head = world.member(1).chains;
  const auto rests = [&](std::vector<uint64_t> keys) { return head.rests_on(kSlot, keys); };
  world.execute(1, kSlot, "a", {1});
  world.execute(1, kSlot, "b", {2});
  CHECK(rests({1}) == 1);
  CHECK(rests({2}) == 2);
  CHECK(rests({1, 2}) == 2);
  CHECK(rests({3}) == 0);
  world.execute(1, kSlot, "flush", {});
  CHECK(rests({3}) == 3);
  world.deliver_all();
  CHECK(rests({1}) == 0);
  CHECK(rests({3}) == 0);
}

TEST_CASE("Chains: a sender's answers travel with the records (R20)") {
  ChainWorld world(2);
  world.found({1, 2});
  world.execute(1, kSlot, "a", {1}, 77, 1, 1);
  world.execute(1, kSlot, "b", {1}, 77, 2, 2);
  world.deliver_all();
  for (MemberId id = 1; id <= 2; ++id) {
    const auto& chains = world.member(id).chains;
    CHECK(chains.find_answer(kSlot, 77, 1, SenderLog::Sent::again).verdict == SenderLog::Verdict::expired);
    const auto known = chains.find_answer(kSlot, 77, 2, SenderLog::Sent::again);
    REQUIRE(known.verdict == SenderLog::Verdict::known);
    CHECK(known.answer->sequence == 2);
    CHECK(chains.find_answer(kSlot, 77, 3, SenderLog::Sent::again).verdict == SenderLog::Verdict::fresh);
    CHECK(chains.find_answer(kSlot, 78, 1, SenderLog::Sent::again).verdict == SenderLog::Verdict::fresh);
  }
}

TEST_CASE("Chains: a reply that is too long to be kept does not travel, and its write never runs again (R20)") {
  ChainWorld world(2);
  world.found({1, 2});
  const std::string too_long(SenderLog::kRepliesBytesMax + 1, 'x');
  world.member(1).chains.note_answer(kSlot, 77, 1, 1, 0, too_long);
  world.execute(1, kSlot, "a", {1}, 77, 2, 1, too_long);
  CHECK(world.member(1).chains.uncommitted_bytes() < 1000);
  world.deliver_all();
  for (const MemberId id : {1u, 2u}) {
    CHECK(world.member(id).chains.find_answer(kSlot, 77, 1, SenderLog::Sent::again).verdict ==
          SenderLog::Verdict::expired);
    CHECK(world.member(id).chains.find_answer(kSlot, 77, 2, SenderLog::Sent::again).verdict ==
          SenderLog::Verdict::expired);
    CHECK(world.member(id).chains.find_answer(kSlot, 77, 3, SenderLog::Sent::again).verdict ==
          SenderLog::Verdict::fresh);
  }
}

TEST_CASE("Chains: of the answers without a record, those for which there is no room are told as such (R20)") {
  ChainWorld world(2);
  world.found({1, 2});
  Chains& head = world.member(1).chains;
  const std::string half(SenderLog::kRepliesBytesMax / 2, 'x');
  for (uint64_t number = 1; number <= 50; ++number) head.note_answer(kSlot, 77, number, 1, 0, half);
  world.execute(1, kSlot, "a", {1}, 77, 51, 1, half);
  CHECK(head.uncommitted_bytes() < 2 * SenderLog::kRepliesBytesMax);
  world.deliver_all();
  for (const MemberId id : {1u, 2u}) {
    const Chains& chains = world.member(id).chains;
    const auto verdict = [&](uint64_t number) {
      return chains.find_answer(kSlot, 77, number, SenderLog::Sent::again).verdict;
    };
    CHECK(verdict(1) == SenderLog::Verdict::expired);
    CHECK(verdict(49) == SenderLog::Verdict::expired);
    CHECK(verdict(50) == SenderLog::Verdict::known);
    CHECK(verdict(51) == SenderLog::Verdict::known);
  }
}

TEST_CASE("Chains.drop_silent_senders: comes by all slots, so many at a time (R11, R20)") {
  ChainWorld world(1);
  world.found({1});
  Chains& chains = world.member(1).chains;
  chains.note_answer(3, 77, 1, 1, 0, "x");
  chains.note_answer(kSlotCount - 1, 77, 1, 1, 0, "x");
  world.pass(SenderLog::kSenderSilence / 2);
  chains.note_answer(2, 77, 1, 1, 0, "x");
  world.pass(SenderLog::kSenderSilence / 2);
  const size_t of_three = chains.remembered_bytes();
  chains.drop_silent_senders(3);
  CHECK(chains.remembered_bytes() == of_three);
  chains.drop_silent_senders(1);
  CHECK(chains.remembered_bytes() == of_three / 3 * 2);
  chains.drop_silent_senders(kSlotCount - 4);
  CHECK(chains.remembered_bytes() == of_three / 3);
  world.pass(SenderLog::kSenderSilence / 2);
  chains.drop_silent_senders(3);
  CHECK(chains.remembered_bytes() == 0);
}

TEST_CASE("Chains: a table that puts an unpromised epoch in force is refused") {
  ChainWorld world(1);
  world.publish(1, {1});
  protocol::TableMessage message;
  message.cluster_id = 1;
  message.version = 1;
  protocol::TableMember self;
  self.id = 1;
  self.name = "n1";
  self.incarnation = 1;
  self.host = "127.0.0.1";
  self.port = 7401;
  message.members = {self};
  message.ranges = {{0, kSlotCount - 1, 1, {1}, 0, {}, {}}};
  const auto table = ring::Table::from_message(message);
  REQUIRE(table.ok());
  CHECK_FALSE(world.member(1).chains.obey(*table, 1, 1).ok());
}

TEST_CASE("Chains: malformed frames are an error and change nothing") {
  ChainWorld world(2);
  world.found({1, 2});
  world.execute(1, kSlot, "x");
  Chains& chains = world.member(2).chains;
  CHECK_FALSE(chains.on_records(1, "\x01garbage").ok());
  CHECK_FALSE(chains.on_ack(1, "\xff\xff").ok());
  CHECK_FALSE(chains.on_gap(1, "").ok());
  CHECK_FALSE(world.member(1).chains.on_ack(2, encode(protocol::Ack{{{kSlot, 1, 99}}})).ok());
  world.deliver_all();
  CHECK(world.member(1).chains.committed(kSlot) == 1);
}

TEST_CASE("Chains: of long replies the newest are remembered, so many bytes of all slots together (R11, R20)") {
  ChainWorld world(1);
  world.found({1});
  Chains& chains = world.member(1).chains;
  constexpr Slot kSlots = 256;
  const std::string long_reply(LongReplies::kBytesMax / (kSlots / 2), 'x');
  for (Slot slot = 0; slot < kSlots; ++slot) chains.note_answer(slot, 77, 1, 1, 0, long_reply);
  chains.note_answer(0, 78, 1, 1, 0, "+OK\r\n");
  const auto verdict = [&](Slot slot, Incarnation sender) {
    return chains.find_answer(slot, sender, 1, SenderLog::Sent::again).verdict;
  };
  CHECK(verdict(0, 77) == SenderLog::Verdict::expired);
  CHECK(verdict(kSlots / 2 - 1, 77) == SenderLog::Verdict::expired);
  CHECK(verdict(kSlots / 2, 77) == SenderLog::Verdict::known);
  CHECK(verdict(kSlots - 1, 77) == SenderLog::Verdict::known);
  CHECK(verdict(0, 78) == SenderLog::Verdict::known);
  CHECK(chains.remembered_bytes() > LongReplies::kBytesMax / 2);
  CHECK(chains.remembered_bytes() < LongReplies::kBytesMax + 100'000);
}

TEST_CASE("LongReplies.add: what a slot has forgotten by itself takes no place of others") {
  LongReplies replies;
  size_t forgotten = 0;
  const auto add = [&](uint64_t number, uint64_t known_from) {
    replies.add(
        {kSlot, 77, number, LongReplies::kBytesMax / 10},
        [&](const LongReplies::Reply& reply) { return reply.number >= known_from; },
        [&](const LongReplies::Reply&) { ++forgotten; });
  };
  for (uint64_t number = 1; number <= 100; ++number) add(number, number);
  CHECK(forgotten == 0);
  for (uint64_t number = 101; number <= 112; ++number) add(number, 101);
  CHECK(forgotten == 2);
}

TEST_CASE("Chains.remembered_bytes: nothing of slots that have left (R11)") {
  ChainWorld world(2);
  world.found({1, 2});
  world.execute(1, kSlot, "a", {1}, 77, 1, 1);
  world.execute(1, kSlot, "b", {1}, 78, 1, 1);
  world.deliver_all();
  CHECK(world.member(2).chains.remembered_bytes() > 0);
  CHECK(world.member(2).chains.remembered_bytes() == world.member(1).chains.remembered_bytes());
  world.publish(1, {1, 2}, 2, {1});
  world.show_all();
  world.publish(2, {1});
  world.show_all();
  CHECK(world.member(2).chains.remembered_bytes() == 0);
  CHECK(world.member(1).chains.remembered_bytes() > 0);
}
