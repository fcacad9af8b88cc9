// The payloads of frames. Field order here is the order on the wire; docs/wire.md has the byte tables and says who
// sends what when. Views in decoded messages point into the frame.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "protocol/resp.h"

namespace chainring::protocol {

// ---- coordinators, nodes, routers: membership, leases, tables -----------------------------------------------

enum class MemberState : uint8_t { joining = 0, up = 1, absent = 2, leaving = 3, gone = 4 };

// A member as the table lists it: one incarnation of a node.
struct TableMember {
  MemberId id = kNoMember;
  std::string name;
  Incarnation incarnation = 0;
  std::string host;  // where it listens
  uint16_t port = 0;
  std::string failure_host;  // failure domains (R3)
  std::string failure_zone;
  uint32_t weight = 100;
  MemberState state = MemberState::joining;
  template <class A>
  void fields(A& a) {
    a(id, name, incarnation, host, port, failure_host, failure_zone, weight, state);
  }
  friend bool operator==(const TableMember&, const TableMember&) = default;
};

// Slots first..last have one chain. With next_epoch != 0 a change to next_chain is intended (R14): whoever sees it has
// to stop under `epoch` (R15). With a goal, the chain is on its way there (R16): the goal's members that are not in the
// chain are learners, and its tail copies the slots to them (R17).
struct TableRange {
  Slot first = 0;
  Slot last = 0;
  Epoch epoch = 0;              // 0: never served yet
  std::vector<MemberId> chain;  // head first
  Epoch next_epoch = 0;
  std::vector<MemberId> next_chain;
  std::vector<MemberId> goal;  // empty: it stays as it is
  template <class A>
  void fields(A& a) {
    a(first, last, epoch, chain, next_epoch, next_chain, goal);
  }
  friend bool operator==(const TableRange&, const TableRange&) = default;
};

struct CoordinatorAddress {
  std::string name;
  std::string host;
  uint16_t port = 0;
  template <class A>
  void fields(A& a) {
    a(name, host, port);
  }
  friend bool operator==(const CoordinatorAddress&, const CoordinatorAddress&) = default;
};

// The table in force and what is intended, whole, for nodes and routers.
struct TableMessage {
  uint64_t cluster_id = 0;
  uint64_t generation = 0;
  TableVersion version = 0;
  uint64_t hash_seed = 0;  // of the nodes' tables, so that SCAN cursors survive a move (R22)
  uint32_t copies = 0;
  bool stopped = false;  // the cluster was stopped in order and has not begun again (R32)
  std::vector<std::string> lock_prefixes;
  std::vector<std::string> rules;       // of placement (R23)
  TableVersion rules_change = 0;        // the version at which a change of the rules began; 0: none is under way
  std::vector<std::string> next_rules;  // what it would make of them
  std::vector<CoordinatorAddress> coordinators;
  std::vector<TableMember> members;
  std::vector<TableRange> ranges;  // ascending, without gaps or overlaps; empty before the first table
  template <class A>
  void fields(A& a) {
    a(cluster_id, generation, version, hash_seed, copies, stopped, lock_prefixes, rules, rules_change, next_rules,
      coordinators, members, ranges);
  }
};

// Whether the other end is there. Answered at once, with the same under `pong`, whatever else waits there.
struct Ping {
  template <class A>
  void fields(A&) {}
};

// Registers and asks for a lease. Sent every heartbeat interval and right after obeying a new table.
struct Heartbeat {
  std::string name;
  Incarnation incarnation = 0;
  std::string host;
  uint16_t port = 0;
  std::string failure_host;
  std::string failure_zone;
  uint32_t weight = 100;
  Micros sent_at = 0;             // by the node's monotonic clock; the lease runs from here (R4)
  TableVersion obeyed = 0;        // the newest table that the node has obeyed
  bool leaving = false;           // it was asked to end, and waits until its slots are served by others
  std::vector<MemberId> accused;  // who owes it an acknowledgement and has been silent for a lease (R19)
  template <class A>
  void fields(A& a) {
    a(name, incarnation, host, port, failure_host, failure_zone, weight, sent_at, obeyed, leaving, accused);
  }
};

// The lease: valid while the node's monotonic clock is below sent_at + lease_us. To a router, whose Subscribe it
// answers, it is of no member: it says that the leader is there, and how long leases are.
struct Grant {
  MemberId member = kNoMember;
  Micros sent_at = 0;  // of the heartbeat that it answers
  Micros lease_us = 0;
  Millis wall_ms = 0;       // the leader's wall clock (R12)
  uint64_t generation = 0;  // of the cluster whose coordinators grant it (R2)
  template <class A>
  void fields(A& a) {
    a(member, sent_at, lease_us, wall_ms, generation);
  }
};

// What a node says of the newest table that it has obeyed, to whoever founds the next generation from it (R31).
struct TableStatement {
  uint32_t wire_version = 0;
  std::string name;
  Incarnation incarnation = 0;
  Micros lease_us = 0;       // how long its newest lease was when it was granted
  Micros lease_left_us = 0;  // 0: it has none
  TableMessage table;
  template <class A>
  void fields(A& a) {
    a(wire_version, name, incarnation, lease_us, lease_left_us, table);
  }
};

struct NotLeader {
  std::string host;  // of the leader, empty when unknown
  uint16_t port = 0;
  bool heard = false;  // the sender hears it: who cannot reach it may go through the sender
  template <class A>
  void fields(A& a) {
    a(host, port, heard);
  }
};

// A router asks for tables; repeated every heartbeat interval, so that RING STATUS can list the routers.
struct Subscribe {
  std::string name;
  Incarnation incarnation = 0;
  std::string host;
  uint16_t port = 0;
  TableVersion version = 0;       // the newest one that it has
  std::vector<MemberId> accused;  // who owes it a reply and has been silent for a lease (R19)
  template <class A>
  void fields(A& a) {
    a(name, incarnation, host, port, version, accused);
  }
};

// "I stopped": the promise of `epoch` for these slots, and the applied numbers (R15). Said again whenever a number has
// changed by levelling, when the coordinator's leader is another, and every heartbeat interval until active.
struct StoppedRun {
  Slot first = 0;
  std::vector<Sequence> applied;  // of slot first, first + 1 ...
  template <class A>
  void fields(A& a) {
    a(first, applied);
  }
};
struct Stopped {
  MemberId member = kNoMember;
  Epoch epoch = 0;
  std::vector<StoppedRun> runs;
  template <class A>
  void fields(A& a) {
    a(member, epoch, runs);
  }
};

// "I hold a true prefix of these slots and follow their source": from a learner (R17), when there are more of them and
// every heartbeat interval while it is one.
struct LearnedRun {
  Slot first = 0;
  Slot last = 0;
  Epoch epoch = 0;  // of the chain that it follows
  template <class A>
  void fields(A& a) {
    a(first, last, epoch);
  }
};
struct Learned {
  MemberId member = kNoMember;
  TableVersion obeyed = 0;  // the newest, which says whose learner it is
  uint64_t keys = 0;        // that were copied to it since its start
  uint64_t bytes = 0;
  std::vector<LearnedRun> runs;
  template <class A>
  void fields(A& a) {
    a(member, obeyed, keys, bytes, runs);
  }
};

// "I have obeyed a table with this change of the rules, and no key that it would move is in these slots, which I head;
// or I have found one" (R23): from every member, when something has changed, and every heartbeat interval meanwhile.
struct RulesChecked {
  MemberId member = kNoMember;
  TableVersion change = 0;  // TableMessage::rules_change
  bool found = false;
  std::string example;           // a key that would be moved, when one was found
  std::vector<LearnedRun> runs;  // under these epochs
  template <class A>
  void fields(A& a) {
    a(member, change, found, example, runs);
  }
};

// To the member that holds the most: send `to` the records after `after` up to `through`, under the promised epoch.
struct LevelItem {
  Slot slot = 0;
  MemberId to = kNoMember;
  Sequence after = 0;
  Sequence through = 0;
  template <class A>
  void fields(A& a) {
    a(slot, to, after, through);
  }
};
struct Level {
  Epoch epoch = 0;
  std::vector<LevelItem> items;
  template <class A>
  void fields(A& a) {
    a(epoch, items);
  }
};

// ---- requests (R20, R21) -------------------------------------------------------------------------------------

inline constexpr Slot kNoSlot = 0xffff;  // of requests to the coordinators

enum RequestFlag : uint8_t {
  kRequestResp3 = 1u << 0,
  kRequestWrite = 1u << 1,
  kRequestTransaction = 1u << 2,
  kRequestAnyMember = 1u << 3,  // a read that any member of the chain may answer, in no order with other requests
  kRequestAgain = 1u << 4,      // a write that was out before and was neither answered nor bounced: it may have run
};
[[nodiscard]] constexpr uint8_t request_flags(RespVersion resp, bool writes) {
  return static_cast<uint8_t>((resp == RespVersion::resp3 ? kRequestResp3 : 0) | (writes ? kRequestWrite : 0));
}
[[nodiscard]] constexpr RespVersion resp_of(uint8_t flags) {
  return (flags & kRequestResp3) != 0 ? RespVersion::resp3 : RespVersion::resp2;
}
// Whether an earlier copy of a write may have run, as its sender knows (R20).
enum class Sent : uint8_t { once = 0, again = 1 };
[[nodiscard]] constexpr Sent sent_of(uint8_t flags) { return (flags & kRequestAgain) != 0 ? Sent::again : Sent::once; }

// Behind the header: the command's own bytes, one RESP request; of a transaction, what protocol/transaction.h says.
struct Request {
  uint64_t id = 0;  // of this link; the reply names it
  Slot slot = kNoSlot;
  uint8_t db = 0;
  uint8_t flags = 0;            // of RequestFlag
  uint32_t attempt = 0;         // of the slot on this link; see RULES R10 and docs/wire.md
  Epoch epoch = 0;              // of the slot as the sender knows it
  uint64_t number = 0;          // of a write among the sender's writes to this slot, from 1; 0 for a read
  uint64_t answered_below = 0;  // all writes of the sender to this slot below this number are answered
  template <class A>
  void fields(A& a) {
    a(id, slot, db, flags, attempt, epoch, number, answered_below);
  }
};

enum class ReplyStatus : uint8_t {
  done = 0,        // the body is the client's RESP reply
  bounced = 1,     // not executed; the sender's or the receiver's table is old, or the slot is stopped: park, retry
  not_leader = 2,  // not executed; from a coordinator; the body is "host:port" of the leader, or empty
  expired = 3,     // not executed now: its sender called it answered, or it may have run and its answer is not kept
  unsettled = 4,   // executed or proposed, but whoever has it left before it was committed: send it again, same number
  ask_head = 5,    // a read for any member, not executed: this one cannot answer it at the moment, or only the head may
};

struct Reply {
  uint64_t id = 0;
  Epoch epoch = 0;  // of the slot when the reply left (R5)
  ReplyStatus status = ReplyStatus::done;
  template <class A>
  void fields(A& a) {
    a(id, epoch, status);
  }
};

// Commands for many slots at once (R22): DBSIZE, KEYS, RANDOMKEY, FLUSHALL, SCAN's walk. Behind it: the command.
struct SlotRange {
  Slot first = 0;
  Slot last = 0;
  template <class A>
  void fields(A& a) {
    a(first, last);
  }
  friend bool operator==(const SlotRange&, const SlotRange&) = default;
};
struct SlotsRequest {
  uint64_t id = 0;
  uint8_t db = 0;
  uint8_t flags = 0;
  std::vector<SlotRange> slots;
  template <class A>
  void fields(A& a) {
    a(id, db, flags, slots);
  }
};
// Behind it: the RESP reply for the slots in `answered`; the sender asks again for the others.
struct SlotsReply {
  uint64_t id = 0;
  std::vector<SlotRange> answered;
  template <class A>
  void fields(A& a) {
    a(id, answered);
  }
};

// ---- chains ----------------------------------------------------------------------------------------------------

enum class RecordKind : uint8_t {
  effects = 0,
  levelling = 1,  // sent again under a promised epoch, before it is active (R15)
};

// All that one command did to one slot (R8), with what settles a retry of it (R20). The head part is what a member
// looks at; the rest travels on as the bytes that came.
struct RecordHead {
  Slot slot = 0;
  RecordKind kind = RecordKind::effects;
  Epoch epoch = 0;  // of the chain that carries it; in levelling, the promised one
  Sequence sequence = 0;
  Incarnation sender = 0;  // the router thread whose write it was; 0 for none (expiry)
  uint64_t number = 0;
  uint64_t answered_below = 0;
  Millis time = 0;  // wall time of its execution; within a slot it never goes back (R12)
  template <class A>
  void fields(A& a) {
    a(slot, kind, epoch, sequence, sender, number, answered_below, time);
  }
};
// What a write of the same sender was answered that came earlier and changed nothing, so that it had no record.
struct EarlierAnswer {
  uint64_t number = 0;
  std::string_view reply;  // empty: not kept, as it was too long
  template <class A>
  void fields(A& a) {
    a(number, reply);
  }
};
struct Record : RecordHead {
  std::vector<uint64_t> key_hashes;    // of the keys that it touches (R7); none: the whole slot (FLUSHALL)
  std::vector<EarlierAnswer> earlier;  // of the sender's writes before this one
  std::string_view reply;              // what the client gets, for a retry; empty: nobody's write, or not kept
  std::string_view effects;            // engine/effects.h
  template <class A>
  void fields(A& a) {
    RecordHead::fields(a);
    a(key_hashes, earlier, reply, effects);
  }
};
struct Records {
  std::vector<Record> records;
  template <class A>
  void fields(A& a) {
    a(records);
  }
};

struct AckItem {
  Slot slot = 0;
  Epoch epoch = 0;
  Sequence committed = 0;  // all members from the sender to the tail have applied up to here
  bool tight = false;      // the sender, or a member behind it in the slot's chain, is near its memory limit (R11)
  template <class A>
  void fields(A& a) {
    a(slot, epoch, committed, tight);
  }
};
struct Ack {
  std::vector<AckItem> items;
  template <class A>
  void fields(A& a) {
    a(items);
  }
};

// "Send this slot's records again from `expected` on."
struct Gap {
  Slot slot = 0;
  Epoch epoch = 0;
  Sequence expected = 0;
  template <class A>
  void fields(A& a) {
    a(slot, epoch, expected);
  }
};

// "Send me copies of these slots": from a learner to their tail, when it has obeyed the table that makes it one, and
// every heartbeat interval while it is one.
struct LearnRun {
  Slot first = 0;
  Slot last = 0;
  Epoch epoch = 0;         // of the chain whose tail is asked
  TableVersion since = 0;  // by which it began to be a learner: by a later one than before, it needs all anew
  template <class A>
  void fields(A& a) {
    a(first, last, epoch, since);
  }
};
struct Learn {
  std::vector<LearnRun> runs;
  template <class A>
  void fields(A& a) {
    a(runs);
  }
};

// The copy of a slot, from its tail to a learner (R17): parts 0, 1, 2 ... of a stream, each with effects behind it that
// make keys what they were when it was sent; then the end. Part 0 begins the slot anew, whatever was there.
struct CopyPart {
  Slot slot = 0;
  Epoch epoch = 0;      // of the chain whose tail sends it
  uint64_t stream = 0;  // counts up at the sender
  uint64_t part = 0;
  uint32_t keys = 0;  // whole keys among the effects
  template <class A>
  void fields(A& a) {
    a(slot, epoch, stream, part, keys);
  }
};
// From here on the learner's copy is that of record `sequence`, and the records behind it follow.
struct SenderAnswer {
  uint64_t number = 0;
  Sequence sequence = 0;
  std::string reply;  // empty: not kept
  template <class A>
  void fields(A& a) {
    a(number, sequence, reply);
  }
};
struct SenderRecord {  // what settles writes that come twice (R20)
  Incarnation sender = 0;
  uint64_t answered_below = 0;
  Micros silent_us = 0;  // since its last record
  std::vector<SenderAnswer> answers;
  template <class A>
  void fields(A& a) {
    a(sender, answered_below, silent_us, answers);
  }
};
struct CopyEnd {
  Slot slot = 0;
  Epoch epoch = 0;
  uint64_t stream = 0;
  uint64_t part = 0;
  Sequence sequence = 0;
  Millis time = 0;  // of the slot's last execution (R12)
  std::vector<SenderRecord> senders;
  Micros forgotten_us = 0;  // for so much longer, who is not among them may have written all the same
  template <class A>
  void fields(A& a) {
    a(slot, epoch, stream, part, sequence, time, senders, forgotten_us);
  }
};

// ---- founding (R2) -----------------------------------------------------------------------------------------------

// Where a coordinator stands in its group.
enum class Standing : uint8_t {
  member = 0,   // votes
  joining = 1,  // shall vote: it is caught up as a learner, then promoted
  leaving = 2,  // shall be taken out of the Raft group, then off the list
};

// A coordinator as the group's list has it: a name, and the disk that has the name.
struct ListedCoordinator {
  std::string name;
  uint64_t disk_id = 0;
  std::string host;
  uint16_t port = 0;
  Standing standing = Standing::member;
  template <class A>
  void fields(A& a) {
    a(name, disk_id, host, port, standing);
  }
  friend bool operator==(const ListedCoordinator&, const ListedCoordinator&) = default;
};

// The coordinators, as agreed on by them.
struct CoordinatorList {
  uint64_t version = 0;                         // grows with every change; 0: none is known
  std::vector<ListedCoordinator> coordinators;  // by name
  std::vector<std::string> removed;             // names that were taken out, the latest last
  template <class A>
  void fields(A& a) {
    a(version, coordinators, removed);
  }
  friend bool operator==(const CoordinatorList&, const CoordinatorList&) = default;
};

// What coordinators tell each other before there is a group, and whenever a link begins. Whoever is dialled answers
// with its own on the same link.
struct Probe {
  std::string name;
  uint64_t disk_id = 0;  // written when the disk was first formatted
  bool founded = false;
  uint64_t cluster_id = 0;  // when founded
  std::string host;         // where it is to be reached
  uint16_t port = 0;
  CoordinatorList list;  // the newest one that it knows
  template <class A>
  void fields(A& a) {
    a(name, disk_id, founded, cluster_id, host, port, list);
  }
};

}  // namespace chainring::protocol
