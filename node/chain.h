// The chain protocol of one member: records down the chain, acknowledgements up, promises and activations (DESIGN of
// chains: docs/conversations.md; van Renesse and Schneider, OSDI 2004; R4, R5, R7, R8, R14, R15).
//
// Pure: tables, records and acknowledgements go in; messages to neighbours and to the coordinator come out. It owns no
// socket, no clock and no key: the database is behind ChainObserver.
//
// Invariant (prefix): for members i before j of a chain, applied(i) >= applied(j) >= committed.
//
// Thread-safety: none; one owner. The observer is not owned and outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/fifo.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "node/copy_source.h"
#include "node/long_replies.h"
#include "node/sender_log.h"
#include "node/stored_record.h"
#include "node/tight_members.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "ring/table.h"

namespace chainring::node {

// What the chains do to their owner. Called from within the calls below; must not call back into Chains.
class ChainObserver : public CopyContent {
 public:
  // Changes the database. An error ends this member's part in every chain (R9): Chains::broken() says so.
  [[nodiscard]] virtual Status apply(Slot slot, std::string_view effects) = 0;
  // Everything up to `sequence` is committed: replies that rest on it may leave.
  virtual void committed(Slot slot, Sequence sequence) = 0;
  // The slot is not this member's any more, or begins anew: forget its keys. Who waits is told that the request is
  // unsettled; with `outlived`, that all this member has executed has gone over to the new chain.
  virtual void dropped(Slot slot, bool outlived) = 0;
};

// A message to another member.
struct ChainMessage {
  enum class Way { dialled, accepted };  // on the link that we dialled to it, or on the one that it dialled to us
  MemberId to = kNoMember;
  Way way = Way::dialled;
  protocol::FrameType type = protocol::FrameType::records;
  std::string payload;
};

// Of one record, so that it fits a frame whatever goes with it.
inline constexpr size_t kEffectsBytesMax = protocol::kRequestBytesMax;

// What the head has executed and wants replicated, for append().
struct LocalRecord {
  Slot slot = 0;
  Incarnation sender = 0;  // 0 with number 0: nobody's (expiry)
  uint64_t number = 0;
  uint64_t answered_below = 0;
  Millis time = 0;
  std::span<const uint64_t> key_hashes;  // none: the whole slot
  std::string_view reply;                // of a numbered write never empty
  std::string_view effects;              // kEffectsBytesMax at most
};

class Chains {
 public:
  explicit Chains(ChainObserver& observer);

  // The monotonic clock of the turn: what comes until the next call came at that time. It never goes back.
  void note_time(Micros now) { now_ = now; }

  // ---- the table ------------------------------------------------------------------------------------------------

  // Obeys a table: makes every promise that it asks for and takes up every epoch in force. `self` is this incarnation's
  // member id, kNoMember when the table does not list it. Tables not newer than the last one are ignored.
  // `lease_number` counts the member's leases that did not join without a gap (NodeLease::number()), 0 while it has
  // none: while it is the same, the coordinators have waited for what this member said (R15). An error is a table that
  // contradicts a promise of ours; this member must end.
  [[nodiscard]] Status obey(const ring::Table& table, MemberId self, uint64_t lease_number);
  [[nodiscard]] TableVersion obeyed() const { return obeyed_; }

  // The statements that are owed: one for each promised epoch that is not active yet (R15).
  [[nodiscard]] std::vector<protocol::Stopped> stopped() const;
  // Whether a statement has changed since the last call: it should be said at once.
  [[nodiscard]] bool take_stopped_due() { return std::exchange(stopped_due_, false); }

  // ---- at the head ----------------------------------------------------------------------------------------------

  // Whether this member is the active head of the slot under an epoch that is not below `epoch`. The lease is the
  // caller's to judge.
  [[nodiscard]] bool heads(Slot slot, Epoch epoch) const;
  [[nodiscard]] Epoch epoch(Slot slot) const { return slots_[slot].epoch; }
  // The slots among `wanted` that it heads actively.
  [[nodiscard]] std::vector<protocol::SlotRange> headed(std::span<const protocol::SlotRange> wanted) const;
  // Wall time for an execution on the slot: `now`, but never less than at an earlier one (R12).
  [[nodiscard]] Millis execution_time(Slot slot, Millis now) const;

  // Takes one command's effects, already in the database, as the slot's next record (R8). REQUIRES: heads(slot, 0).
  Sequence append(const LocalRecord& record);

  // A numbered write ran and changed nothing: `reply`, which rests on `needs`, is what it gets when it comes again
  // (R20).
  void note_answer(Slot slot, Incarnation sender, uint64_t number, uint64_t answered_below, Sequence needs,
                   std::string_view reply);

  // The last uncommitted record that touches one of the keys; 0 when all are clean (R7).
  [[nodiscard]] Sequence rests_on(Slot slot, std::span<const uint64_t> key_hashes) const;
  [[nodiscard]] Sequence committed(Slot slot) const { return slots_[slot].committed; }
  [[nodiscard]] Sequence applied(Slot slot) const { return slots_[slot].applied; }
  [[nodiscard]] SenderLog::Found find_answer(Slot slot, Incarnation sender, uint64_t number,
                                             SenderLog::Sent sent) const {
    return slots_[slot].senders.find(sender, number, sent, now_);
  }
  // Frees, in the next so many slots, what is remembered of senders that are silent (SenderLog::kSenderSilence).
  void drop_silent_senders(size_t slots_max);

  // ---- from other members -----------------------------------------------------------------------------------------

  // A `records`, `ack` or `gap` frame from member `from` (kNoMember when the table does not know the peer yet: then
  // nothing is accepted from it). An error means malformed bytes: close the link.
  [[nodiscard]] Status on_records(MemberId from, std::string_view payload);
  [[nodiscard]] Status on_ack(MemberId from, std::string_view payload);
  [[nodiscard]] Status on_gap(MemberId from, std::string_view payload);
  // Of the copy of a slot that comes from its tail (chain_learn.cc); the asking for one, at the tail.
  [[nodiscard]] Status on_learn(MemberId from, std::string_view payload);
  [[nodiscard]] Status on_copy_part(MemberId from, std::string_view payload);
  [[nodiscard]] Status on_copy_end(MemberId from, std::string_view payload);
  // From the coordinator.
  void on_level(const protocol::Level& level);

  // The link that we dial to `member` is up (again): all that it may have missed is sent, and what it said on the one
  // before is forgotten.
  void link_up(MemberId member);
  // `member` has dialled us (again): it is told anew what holds until it is told otherwise.
  void dialled_by(MemberId member);
  // The members that should be dialled: successors, and targets of levelling. Sorted.
  [[nodiscard]] const std::vector<MemberId>& wanted_links() const { return wanted_links_; }
  // Whether something waits for `member`: an acknowledgement, the end of a levelling or of a copy. Looks at all slots.
  [[nodiscard]] bool waits_for(MemberId member) const;

  // ---- memory (R11) -----------------------------------------------------------------------------------------------

  // Whether this member is near its memory limit. A change is told to the predecessors at once, whether or not anything
  // else is to be acknowledged: their slots may be idle.
  void set_near_limit(bool near_limit);
  [[nodiscard]] bool near_limit() const { return near_limit_; }
  // Whether somebody behind us in the slot's chain, or who learns the slot from its tail, is near its limit, by the
  // newest word of our successor under the present epoch.
  [[nodiscard]] bool tight_behind(Slot slot) const { return tight_members_.any(slot, slots_[slot].epoch); }

  // ---- learning (R17) ---------------------------------------------------------------------------------------------

  // Copies slots to learners, as far as `room(member)` says that their links can take it; call it once a turn, before
  // take_messages().
  void copy(const std::function<size_t(MemberId)>& room);
  [[nodiscard]] const CopySource& copies() const { return copies_; }
  // What this member has learned, while it is anybody's learner.
  [[nodiscard]] protocol::Learned learned() const;
  [[nodiscard]] bool is_learner() const { return learning_slots_ > 0; }
  // Asks (again) for the slots that it is to learn; call it every heartbeat, and when a link to a source may be new.
  void ask_for_copies() { copies_due_ = is_learner(); }
  // Whether more has been learned since the last call: it should be said at once.
  [[nodiscard]] bool take_learned_due() { return std::exchange(learned_due_, false); }

  // The messages of this turn, batched by neighbour.
  [[nodiscard]] std::vector<ChainMessage> take_messages();

  // Ok while every record could be applied (R9).
  [[nodiscard]] const Status& broken() const { return broken_; }
  // Bytes of uncommitted records, for back-pressure at the door (R11).
  [[nodiscard]] size_t uncommitted_bytes() const { return uncommitted_bytes_; }
  // Bytes of what all slots remember of their writers (R20), and of what is kept for learners.
  [[nodiscard]] size_t remembered_bytes() const { return remembered_bytes_ + copies_.kept_bytes(); }

  // What it has done, for metrics.
  struct Counts {
    uint64_t records_sent = 0;     // those sent again included
    uint64_t records_applied = 0;  // of other members
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

  // What checkers and INFO look at.
  struct View {
    Epoch epoch, promised;
    Sequence applied, committed;
    bool member, head, active;
    bool learning = false;
    Epoch newest_came_under = 0;  // the epoch that the newest uncommitted record was taken under; 0: there is none
  };
  [[nodiscard]] View view(Slot slot) const;
  [[nodiscard]] const SenderLog& senders(Slot slot) const { return slots_[slot].senders; }

 private:
  // A slot that is copied to us.
  struct Learning {
    MemberId source = kNoMember;  // the tail
    Epoch epoch = 0;              // of its chain
    TableVersion since = 0;       // the table that made us a learner
    uint64_t stream = 0;
    uint64_t next_part = 0;
    bool copied = false;  // we hold a true prefix and follow
  };
  struct SlotState {
    Epoch epoch = 0;     // in force, as of the table obeyed
    Epoch promised = 0;  // >= epoch; the slot is active while they are equal
    bool member = false;
    MemberId predecessor = kNoMember;  // of a learner its source
    MemberId successor = kNoMember;
    std::unique_ptr<Learning> learning;  // while we are a learner
    uint64_t promised_in = 0;            // the number of the lease in which the promise was made
    Sequence applied = 0;
    Sequence committed = 0;
    Sequence whole_slot = 0;  // last record that touches every key
    Millis last_time = 0;
    Fifo<StoredRecord> uncommitted;  // committed + 1 .. applied
    SenderLog senders;
    bool ack_due = false;
    bool gap_asked = false;
    bool refused_ahead = false;  // a record of an epoch that we have not taken up yet came, and was dropped
    [[nodiscard]] bool active() const { return member && epoch != 0 && promised == epoch; }
    [[nodiscard]] bool tail() const { return active() && successor == kNoMember; }
    // Whether, as a learner, we take what the source sends.
    [[nodiscard]] bool follows() const { return learning && promised <= learning->epoch; }
    // Whether there is somebody whom we tell how far we have come.
    [[nodiscard]] bool acknowledges() const {
      return predecessor != kNoMember && (learning ? learning->copied : active());
    }
  };
  // What we were asked to send a member under an intended epoch (R15).
  struct Levelling {
    MemberId to = kNoMember;
    Epoch epoch = 0;
    struct Span {
      Sequence after = 0, through = 0;  // all that was asked for
      Sequence sent = 0;                // on the link that is there
    };
    std::map<Slot, Span> slots;
  };
  struct Batch {
    MemberId to = kNoMember;
    uint64_t count = 0;
    std::string bytes;
  };

  [[nodiscard]] static Status check_promise(const SlotState& state, const protocol::TableRange& range);
  void obey_slot(Slot slot, const protocol::TableRange& range, MemberId self);
  void activate(Slot slot, SlotState& state, const protocol::TableRange& range, MemberId self);
  void drop(Slot slot, SlotState& state, Epoch in_force);
  void state_number(Slot slot, std::vector<protocol::Stopped>& statements) const;
  void copy_to_learners(Slot slot, const SlotState& state, const protocol::TableRange& range);
  void learn_from(Slot slot, SlotState& state, MemberId source, Epoch epoch);
  void begin_anew(Slot slot, SlotState& state);
  void stop_learning(SlotState& state);
  void send_asking();
  template <class Visit>
  void for_each_learned_slot(Visit&& visit) const;
  void accept_as_learner(MemberId from, SlotState& state, const protocol::RecordHead& head, std::string_view body,
                         const protocol::Record& record);
  template <class Message>
  [[nodiscard]] SlotState* learning_state(MemberId from, const Message& message);
  void refresh_wanted_links();

  void accept(MemberId from, const protocol::RecordHead& head, std::string_view body, const protocol::Record& record);
  void take(SlotState& state, const protocol::RecordHead& head, std::string_view body, const protocol::Record& record);
  void store(SlotState& state, const protocol::RecordHead& head, std::string body,
             std::span<const uint64_t> key_hashes);
  void forget(const StoredRecord& record);  // a record that is committed or dropped touches no key any more
  void pass_on(Slot slot, SlotState& state, std::string_view effects);
  void commit_to(Slot slot, SlotState& state, Sequence sequence);
  // Changes what the slot remembers of its writers, and keeps count of it.
  template <class Change>
  void change_senders(SlotState& state, Change&& change) {
    remembered_bytes_ -= state.senders.bytes();
    change(state.senders);
    remembered_bytes_ += state.senders.bytes();
  }
  void record_answer(const protocol::RecordHead& head, uint64_t number, std::string_view reply);
  void bound_long_replies(const LongReplies::Reply& added);
  void send_record(MemberId to, const SlotState& state, const StoredRecord& record, protocol::RecordKind kind);
  void send_levels(const Levelling& levelling, Slot slot, Sequence after, Sequence through);
  void seal(Batch& batch);
  [[nodiscard]] bool says_tight(Slot slot) const { return near_limit_ || tight_behind(slot); }
  void hear_tight(MemberId from, const protocol::AckItem& item, bool from_learner);
  void forget_tight(Slot slot, const protocol::TableRange& range);
  void mark_ack_due(Slot slot, SlotState& state);
  void ask_gap(Slot slot, SlotState& state);

  ChainObserver& observer_;
  TableVersion obeyed_ = 0;
  TableVersion obeying_ = 0;                  // the one that is being obeyed
  std::vector<protocol::TableRange> ranges_;  // of that table, as `self_` obeyed it
  MemberId self_ = kNoMember;
  std::vector<SlotState> slots_;
  std::unordered_map<uint64_t, Sequence> dirty_;  // key hash -> last uncommitted record that touches it
  std::vector<Batch> batches_;
  std::vector<ChainMessage> messages_;
  std::vector<Slot> acks_due_;
  TightMembers tight_members_;
  std::vector<MemberId> wanted_links_;
  std::vector<Levelling> levellings_;
  CopySource copies_;
  size_t uncommitted_bytes_ = 0;
  size_t remembered_bytes_ = 0;
  LongReplies long_replies_;
  Slot next_swept_ = 0;  // where drop_silent_senders() goes on
  Micros now_ = 0;
  Counts counts_;
  size_t learning_slots_ = 0;
  uint64_t learned_keys_ = 0;  // since the start
  uint64_t learned_bytes_ = 0;
  uint64_t lease_number_ = 0;  // as the newest table was obeyed
  bool learned_due_ = false;
  bool copies_due_ = false;
  bool stopped_due_ = false;
  bool near_limit_ = false;
  Status broken_;
};

}  // namespace chainring::node
