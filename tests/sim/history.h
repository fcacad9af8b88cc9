// Histories of clients, and the judgement whether they could have come from one copy of the data that executes one
// command at a time, each at some moment between its call and its return (Herlihy and Wing, 1990; the search is Wing
// and Gong's with Lowe's memory of what was tried).
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace chainring::sim {

struct Operation {
  enum class Kind { set, get, incr, getdel, set_nx, set_ifeq, del, set_px, pexpire, loss };
  enum class Outcome {
    returned,  // `result` is what the client got
    unknown,   // may have happened, at any time after the call
    refused,   // certainly did not happen
  };
  size_t client = 0;
  uint64_t place = 0;  // in the client's order
  std::string key;
  Kind kind = Kind::get;
  std::string argument;
  std::string compare;   // of set_ifeq
  Micros ttl_least = 0;  // of set_px and pexpire: not before so long after it has happened the key may be gone,
  Micros ttl_most = 0;   // and after so long it must be
  Micros called = 0;
  Micros returned = kNever;            // also of one that was refused by who would have executed it, and not on its way
  Micros happened_by = kNever;         // of unknown outcome: later than that it has not happened
  std::optional<uint64_t> not_behind;  // of unknown outcome: the place of its client's that it has not happened behind
  Outcome outcome = Outcome::unknown;
  std::optional<std::string>
      result;  // the value for get and getdel; "1"/"0" for nx, ifeq, del, pexpire; the number for incr
};

// All that a slot or the lock keyspace held was lost at one moment of this time, and an operator has said so. With
// `certain` it was, else perhaps.
struct Loss {
  Micros called = 0;
  Micros returned = kNever;
  bool certain = false;
};
// Tells the judge of it: the key is gone, and so is the knowledge of what has run: what was open meanwhile may have
// happened before the loss as well as after it.
void add_loss(const std::string& key, const Loss& loss, std::vector<Operation>& operations);

// A lock that a client was told it has.
struct Grant {
  std::string key;
  std::string owner;
  int64_t token = 0;
  Micros called = 0;
  Micros returned = 0;
  Micros ttl = 0;
  Micros given_back = kNever;  // when the client began to release it
  Micros renewed = 0;          // when the last renewal that succeeded was called: the time runs from there
  Micros gone = kNever;        // when the client was told first that it does not hold it
};

// What went wrong with one key, or nothing. `give_up` is set when the search was cut off after `states_max` states.
struct Verdict {
  bool linearizable = true;
  bool gave_up = false;
  std::string explanation;
};
[[nodiscard]] Verdict judge(std::vector<Operation> operations, size_t states_max);

// Whether a key that is only ever counted up by one, and has come to `total`, was counted once for each increment that
// was acknowledged, and at most once for each of unknown outcome. The text says how it was not.
[[nodiscard]] std::optional<std::string> judge_total(const std::vector<Operation>& operations, int64_t total);

// What one read found of two counters of one slot of which every client counts up the first before the second.
struct OrderedRead {
  int64_t first = 0;
  int64_t second = 0;
  Micros returned = 0;
};
// What is wrong with the order of pipelined requests, or nothing: the second counter was ahead of the first by more
// than the increments of the first that had been called by then and were not acknowledged.
[[nodiscard]] std::optional<std::string> judge_order(const std::vector<OrderedRead>& reads,
                                                     const std::vector<Operation>& of_first);

// How far a monotonic clock may be off, in millionths. Two clocks that run apart by twice as much do so by 18 ms during
// a lease of 450 ms; 20 ms are allowed.
inline constexpr int32_t kDriftPpmMost = 20'000;

// What is wrong with the grants of all locks, or nothing: a lock that two owners held at once (its time runs by the
// leader's clock, which may be fast), a lock that its owner was told not to hold within its time, a token that was
// granted twice, or one that is not above that of a grant which was known before it was asked for.
[[nodiscard]] std::optional<std::string> judge_grants(std::vector<Grant> grants);
// Locks that were asked for before the loss are held no longer than until then. Their tokens still count.
void add_loss(const Loss& loss, std::vector<Grant>& grants);

}  // namespace chainring::sim
