// A few members of chains in one place, with links that lose, and a coordinator as simple as can be: what chain tests
// play with. Every slot has the same chain.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "node/chain.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::node::testing {

// Keeps the effects of each slot as they were applied; what a head executes is put in by execute().
class Log final : public ChainObserver {
 public:
  // A copy is made of the effects themselves, all at once.
  uint32_t copy_out(Slot slot, engine::CopyCursor& cursor, size_t, std::string& effects) override {
    cursor.db = engine::CopyCursor::kEnd;
    for (const std::string& one : applied[slot]) append_effect(effects, one);
    return 0;
  }
  void copy_effects(Slot, engine::CopyCursor&, std::string_view, std::string&) override {}
  // As engine::whole_effects() wants them.
  static void append_effect(std::string& out, std::string_view text) {
    ByteWriter writer(out);
    writer(uint8_t{0});
    writer.varint(2);
    writer(std::string_view("set"), text);
  }

  Status apply(Slot slot, std::string_view effects) override {
    if (effects == "poison") return Status(ErrorCode::corrupt, "poison");
    if (!effects.empty() && effects[0] == '\0') return apply_copy(slot, effects);
    applied[slot].emplace_back(effects);
    return Status();
  }
  void committed(Slot slot, Sequence sequence) override { commits[slot] = sequence; }
  void dropped(Slot slot, bool) override {
    applied.erase(slot);
    commits.erase(slot);
    ++drops;
  }
  Status apply_copy(Slot slot, std::string_view effects) {
    for (ByteReader reader(effects); !reader.complete();) {
      uint8_t db = 0;
      std::string_view name, text;
      reader(db);
      if (reader.varint() != 2) return Status(ErrorCode::corrupt, "no copy");
      reader(name, text);
      if (reader.failed()) return Status(ErrorCode::corrupt, "no copy");
      applied[slot].emplace_back(text);
    }
    return Status();
  }
  std::map<Slot, std::vector<std::string>> applied;
  std::map<Slot, Sequence> commits;
  int drops = 0;
};

struct Member {
  MemberId id = 0;
  Log log;
  Chains chains{log};
  bool alive = true;
};

class ChainWorld {
 public:
  explicit ChainWorld(size_t members) {
    for (size_t i = 0; i < members; ++i) {
      members_.push_back(std::make_unique<Member>());
      members_.back()->id = static_cast<MemberId>(i + 1);
    }
    pass(0);
  }

  Member& member(MemberId id) { return *members_[id - 1]; }
  size_t size() const { return members_.size(); }

  // A newer table; nobody has seen it yet.
  void publish(Epoch epoch, std::vector<MemberId> chain, Epoch next_epoch = 0, std::vector<MemberId> next = {},
               std::vector<MemberId> goal = {}) {
    message_.cluster_id = 1;
    message_.copies = 3;
    ++message_.version;
    message_.members.clear();
    for (const auto& known : members_) {
      protocol::TableMember listed;
      listed.id = known->id;
      listed.name = concat("n", known->id);
      listed.incarnation = known->id;
      listed.host = "127.0.0.1";
      listed.port = static_cast<uint16_t>(7400 + known->id);
      message_.members.push_back(listed);
    }
    message_.ranges = {{0, kSlotCount - 1, epoch, std::move(chain), next_epoch, std::move(next), std::move(goal)}};
  }
  const protocol::TableRange& range() const { return message_.ranges[0]; }
  void show(MemberId id) {
    if (!member(id).alive) return;
    const auto table = ring::Table::from_message(message_);
    REQUIRE(table.ok());
    const Status obeyed = member(id).chains.obey(*table, id, 1);
    INFO(obeyed.message());
    REQUIRE(obeyed.ok());
    pump(id);
  }
  void show_all() {
    for (const auto& known : members_) show(known->id);
  }

  // Brings the first chain into force on all members.
  void found(std::vector<MemberId> chain) {
    publish(0, {}, 1, chain);
    show_all();
    publish(1, std::move(chain));
    show_all();
  }

  Sequence execute(MemberId head, Slot slot, const std::string& effects, std::vector<uint64_t> keys = {7},
                   Incarnation sender = 0, uint64_t number = 0, uint64_t answered_below = 0,
                   std::string_view reply = "+OK\r\n") {
    Member& at = member(head);
    at.log.applied[slot].push_back(effects);
    LocalRecord record;
    record.slot = slot;
    record.sender = sender;
    record.number = number;
    record.answered_below = answered_below;
    record.time = 1;
    record.key_hashes = keys;
    record.reply = reply;
    record.effects = effects;
    const Sequence sequence = at.chains.append(record);
    pump(head);
    return sequence;
  }

  // The members' clocks go on; no two of them show the same.
  void pass(Micros time) {
    now_ += time;
    for (const auto& known : members_) known->chains.note_time(now_ + known->id * 1000 * kMicrosPerSecond);
  }

  // Takes a member's messages onto the links.
  void pump(MemberId id) {
    member(id).chains.copy([](MemberId) { return size_t{1} << 20; });
    for (ChainMessage& message : member(id).chains.take_messages()) {
      links_[{id, message.to}].push_back(std::move(message));
    }
  }
  bool pending() const {
    return std::any_of(links_.begin(), links_.end(), [](const auto& link) { return !link.second.empty(); });
  }
  std::vector<std::pair<MemberId, MemberId>> busy_links() const {
    std::vector<std::pair<MemberId, MemberId>> busy;
    for (const auto& [way, queue] : links_) {
      if (!queue.empty()) busy.push_back(way);
    }
    return busy;
  }
  void deliver_one(std::pair<MemberId, MemberId> way) {
    ChainMessage message = std::move(links_[way].front());
    links_[way].pop_front();
    if (!member(way.second).alive) return;
    Chains& to = member(way.second).chains;
    Status taken;
    if (message.type == protocol::FrameType::records) taken = to.on_records(way.first, message.payload);
    if (message.type == protocol::FrameType::ack) taken = to.on_ack(way.first, message.payload);
    if (message.type == protocol::FrameType::gap) taken = to.on_gap(way.first, message.payload);
    if (message.type == protocol::FrameType::copy_part) taken = to.on_copy_part(way.first, message.payload);
    if (message.type == protocol::FrameType::copy_end) taken = to.on_copy_end(way.first, message.payload);
    if (message.type == protocol::FrameType::learn) taken = to.on_learn(way.first, message.payload);
    REQUIRE(taken.ok());
    pump(way.second);
  }
  void deliver_all() {
    while (pending()) deliver_one(busy_links().front());
  }
  // The link between two members breaks, with all that is on its way in both directions, and comes up again.
  void break_link(MemberId dialler, MemberId other) {
    links_[{dialler, other}].clear();
    links_[{other, dialler}].clear();
    if (!member(dialler).alive || !member(other).alive) return;
    member(dialler).chains.link_up(other);
    pump(dialler);
    member(other).chains.dialled_by(dialler);
    pump(other);
  }
  void clear_links() { links_.clear(); }

 private:
  std::vector<std::unique_ptr<Member>> members_;
  protocol::TableMessage message_;
  Micros now_ = 0;
  std::map<std::pair<MemberId, MemberId>, std::deque<ChainMessage>> links_;
};

}  // namespace chainring::node::testing
