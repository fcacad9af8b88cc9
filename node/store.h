// The heart of a node: the database, its chains and the replies that wait. Executes commands at the head, applies
// records elsewhere, lets go of replies when they are committed.
//
// Pure: no network, no clock. Thread-safety: none; one owner. The sink and the random source outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "engine/database.h"
#include "node/chain.h"
#include "node/held.h"
#include "node/watch_book.h"
#include "protocol/command.h"
#include "protocol/placement_rules.h"
#include "protocol/reply.h"
#include "protocol/transaction.h"
#include "ring/table.h"

namespace chainring::node {

// Who asks for what is executed on one slot that this node heads.
struct Requested {
  Slot slot = 0;
  uint8_t db = 0;
  protocol::RespVersion resp = protocol::RespVersion::resp2;
  Incarnation sender = 0;  // R20; 0 for clients connected to this node
  uint64_t number = 0;
  uint64_t answered_below = 0;
  Millis now = 0;
  uint64_t memory_max = 0;  // maxmemory; 0 for none
  bool scan_ends = false;   // see engine::ExecContext
  Destination to;
};

// One command. Views live until execute() returns.
struct Execution : Requested {
  const protocol::CommandSpec* command = nullptr;
  std::span<const std::string_view> args;
};

class Store final : private ChainObserver {
 public:
  Store(HeldReplies::Sink& sink, Random& random);

  // See Chains::obey(). The first table tells the seed of the database's hashes (R22).
  [[nodiscard]] Status obey(const ring::Table& table, MemberId self, uint64_t lease_number);

  // What became of a numbered write that may have come before. When not `fresh`, nothing is to be executed; when
  // `known`, it is answered.
  [[nodiscard]] SenderLog::Verdict settle_again(Slot slot, Incarnation sender, uint64_t number, SenderLog::Sent sent,
                                                const Destination& to);

  // Whether execute() runs the command.
  [[nodiscard]] static bool runs(protocol::CommandId id);

  // Runs the command; its reply goes to the sink now, or when what it rests on is committed. False, and nothing was
  // done, when a change of the placement rules that is under way would move one of its keys: nobody serves it
  // meanwhile. REQUIRES: chains().heads(slot, 0), the arity fits, runs(command).
  [[nodiscard]] bool execute(const Execution& execution);

  // Runs all commands of a transaction, with nothing in between and as one record (R8), unless a key that it watches
  // may have changed: then it runs none, and the reply is null. False as above. REQUIRES: chains().heads(slot, 0).
  [[nodiscard]] bool execute(const protocol::Transaction& transaction, const Requested& requested);

  // Answers a read at a member that is not the head, under its lease (CRAQ; Terrace and Freedman, 2009): what it finds
  // here is committed, or its reply waits until it is. False, and nothing was done, when only the head may judge
  // whether a key has expired: its time is over by this member's clock, or will be within `margin` (R12); and when a
  // key is unsettled, as for execute(). REQUIRES:
  // chains().view(slot).active, the arity fits, Database::runs(command), and it only reads.
  [[nodiscard]] bool read(const Execution& execution, Millis margin);

  // How many keys a turn may walk over for one cluster-wide command: some milliseconds' worth (R13).
  static constexpr size_t kKeysPerSlice = 65536;
  // The first of these slots that the command may be run over in one turn; all of them unless it walks over keys.
  // REQUIRES: there is a database().
  [[nodiscard]] std::vector<protocol::SlotRange> slice(std::vector<protocol::SlotRange> slots,
                                                       protocol::CommandId command, uint8_t db) const;
  // KEYS over these slots: an array, or an error. REQUIRES: it heads all of them.
  [[nodiscard]] std::string keys(std::span<const protocol::SlotRange> slots, std::string_view pattern, uint8_t db,
                                 Millis now);
  // Runs a cluster-wide command over the given slots. REQUIRES: it heads all of them.
  void execute_over(std::span<const protocol::SlotRange> slots, const Execution& execution);

  // So that keys which are only received are known to be idle since then.
  void note_time(Millis now) {
    if (database_) database_->note_time(now);
  }

  // See HeldReplies.
  void give_up_clients(Micros came_by) { held_.give_up_clients(came_by, sink_); }
  [[nodiscard]] Micros oldest_held_client() const { return held_.oldest_of_clients(); }

  // Removes keys whose time is over from the slots that it heads, as records (R12). Returns how many.
  size_t expire(std::span<const protocol::SlotRange> headed, Millis now, size_t keys_max);

  [[nodiscard]] Chains& chains() { return chains_; }
  [[nodiscard]] const Chains& chains() const { return chains_; }
  // nullptr before the first table.
  [[nodiscard]] const engine::Database* database() const { return database_.get(); }
  // Gives back memory of slots that were dropped or flushed, some `keys_max` keys' worth. Whether there is more.
  bool free_some(size_t keys_max) { return database_ && database_->free_some(keys_max); }
  [[nodiscard]] size_t held() const { return held_.count(); }
  [[nodiscard]] size_t held_bytes() const { return held_.bytes(); }
  // What counts against maxmemory (R11): the database, what retries and learners need, and what waits for a commit.
  [[nodiscard]] uint64_t memory_bytes() const {
    return (database_ ? database_->memory_bytes() : 0) + chains_.remembered_bytes() + chains_.uncommitted_bytes() +
           held_.bytes();
  }
  // Says with the acknowledgements when this is near `memory_max` (0: never), so that the heads of the slots that are
  // only followed here take no writes that need memory; and when it is not any more (R11).
  void mind_memory(uint64_t memory_max);
  [[nodiscard]] uint64_t member_reads() const { return member_reads_; }  // that read() answered, since the start

 private:
  static constexpr std::string_view kOutOfMemory = "OOM command not allowed when used memory > 'maxmemory'.";

  Status apply(Slot slot, std::string_view effects) override;
  void committed(Slot slot, Sequence sequence) override;
  void dropped(Slot slot, bool outlived) override;
  uint32_t copy_out(Slot slot, engine::CopyCursor& cursor, size_t bytes_max, std::string& effects) override;
  void copy_effects(Slot slot, engine::CopyCursor& cursor, std::string_view record_effects, std::string& out) override;

  // Where the keys of a command are, by the placement rules (R23).
  enum class KeysAt : uint8_t {
    here,       // in its slot
    elsewhere,  // in another slot, all of them: whoever sent it here knows other rules
    apart,      // in several slots
    unsettled,  // a change of the rules that is under way would move one of them
  };
  // Adds the hashes of the command's keys to key_hashes_, as long as they are here.
  [[nodiscard]] KeysAt find_keys(const protocol::CommandSpec& command, std::span<const std::string_view> args,
                                 Slot slot);
  // The error that says so. REQUIRES: elsewhere or apart.
  [[nodiscard]] static std::string_view error_for(KeysAt keys);
  [[nodiscard]] bool out_of_memory(uint32_t command_flags, const Requested& requested) const;
  // Whether its effects fit a record. REQUIRES: find_keys() has found its keys.
  [[nodiscard]] bool fits_record(const Execution& execution) const;
  void refuse(const Requested& requested, std::string_view error);
  [[nodiscard]] engine::ExecContext context_for(const Requested& requested) const;
  void run(const Execution& execution);                          // it may
  void note_answer(const Requested& requested, Sequence needs);  // of a write that changed nothing
  // What was executed is done: its effects become a record, and reply_ leaves when it may.
  void settle(const Requested& requested, Millis time);
  Sequence append(const LocalRecord& record);

  // ---- store_transactions.cc
  void watch(const Execution& execution);
  // Whether a change of the placement rules would move one of its keys.
  [[nodiscard]] bool unsettled(const protocol::Transaction& transaction);
  // Why it is not executed at all, or empty. Fills key_hashes_.
  [[nodiscard]] std::string refusal(const protocol::Transaction& transaction, const Requested& requested);
  // Whether no key of the marks has changed since they were made. Adds the keys' hashes to `watched`.
  [[nodiscard]] bool unchanged(Slot slot, const std::vector<std::string>& marks, std::vector<uint64_t>& watched) const;
  // Removes what has expired in the slot; false when there was too much of it.
  bool expire_slot(Slot slot, Millis now);

  void reply_when(Slot slot, Sequence needs, const Destination& to);

  HeldReplies::Sink& sink_;
  protocol::Placement placement_;
  std::vector<std::string> rules_;  // of placement_
  uint64_t rules_number_ = 0;       // how often they have changed
  Random& random_;
  std::unique_ptr<engine::Database> database_;
  HeldReplies held_;
  Chains chains_;
  WatchBook watches_;
  uint64_t member_reads_ = 0;
  // Reused from command to command.
  std::string reply_;
  engine::Effects effects_;
  std::vector<uint64_t> key_hashes_;
  std::vector<size_t> key_positions_;
};

}  // namespace chainring::node
