// What simulated clients call, whatever they are connected to: commands on a few keys that all share, the notes of what
// was called and what came back, and what a reply means.
//
// Keys are of kinds, so that each command is used where its answer can be judged: strings, counters (which hold numbers
// only), totals (which are only ever counted up), keys whose time runs out, keys that a placement rule would move, and
// keys in the lock keyspace.
//
// Thread-safety: none.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/time.h"
#include "protocol/resp.h"
#include "tests/sim/history.h"

namespace chainring::sim {

// A rule that operators add and remove, and the tag that it gives to the keys that match.
inline constexpr std::string_view kPlacementRule = "bull:(*):**";
inline constexpr std::string_view kPlacementTag = "queue";

// By how much the end of a key may be off by true time: wall clocks are stepped by 250 ms to either side, and a node
// hears of the leader's now and then only.
inline constexpr Micros kExpirySkew = 600 * kMicrosPerMilli;

// Slots that are served again, empty, by an operator's word.
struct SlotLoss {
  std::bitset<kSlotCount> slots;
  Loss when;
};

// What all clients and operators of a world write to. Times are the world's, not a process's.
struct Notebook {
  // Calls that were given up before their time was over: only for what two members lapsed under (R13).
  struct GivenUp {
    Micros called = 0, answered = 0;
    std::string what;
  };
  std::vector<Operation> operations;
  std::vector<Grant> grants;
  std::vector<OrderedRead> ordered_reads;
  std::vector<SlotLoss> lost_slots;
  std::vector<Loss> lost_locks;
  std::vector<std::string> complaints;  // replies that no client should ever see
  std::vector<GivenUp> given_up_early;
  // Of what is called from then on every error of a router is a complaint, and
  Micros no_errors_from = kNever;
  // of nodes as well, but for MOVED: nothing fails any more, and the ring stays as it is.
  Micros at_rest_from = kNever;
  // What is asked for from then on is granted: the time of every lock is over.
  Micros locks_free_from = kNever;
  uint64_t calls = 0;  // numbers them all, so that no two write the same value, in no life of a client
  uint64_t answered = 0;
  uint64_t errors = 0;
};

[[nodiscard]] std::vector<std::string> data_keys();     // but for pairs
[[nodiscard]] std::vector<std::string> string_keys();   // plain strings
[[nodiscard]] std::vector<std::string> counted_keys();  // totals, pairs, and those that are counted up in order
[[nodiscard]] std::vector<std::string> ordered_keys();  // two of one slot: clients count up the first, then the second
[[nodiscard]] std::vector<std::string> lock_strings();  // strings in the lock keyspace
[[nodiscard]] std::vector<std::string> pairs();
[[nodiscard]] std::string draw_pair(Random& random);
[[nodiscard]] std::vector<Slot> slots_in_use();
// What befell a key of the notebook.
[[nodiscard]] std::vector<Loss> losses_of(const std::string& key, const Notebook& notebook);

class Calls {
 public:
  Calls(size_t client, Notebook& notebook, const Micros& world_time, Random& random);

  // An operation on one key, on any key or on this one. It is not noted yet.
  [[nodiscard]] Operation draw();
  [[nodiscard]] Operation draw_for(const std::string& key);
  [[nodiscard]] Operation make(Operation::Kind kind, std::string key);
  [[nodiscard]] static std::vector<std::string> words(const Operation& operation);
  // Its index in the notebook.
  size_t note(Operation operation);

  // What the reply says of the operation; false for an error, which is not judged here.
  bool take(Operation& operation, const protocol::ReplyValue& reply);

 private:
  [[nodiscard]] Operation::Kind draw_kind(const std::string& key);
  [[nodiscard]] std::string lately_written(const std::string& key) const;

  size_t client_;
  Notebook& notebook_;
  const Micros& world_time_;
  Random& random_;
};

}  // namespace chainring::sim
