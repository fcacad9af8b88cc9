// What the lock keyspace remembers of its writers, so that a write sent twice runs once (R20, R29).
//
// Part of the replicated state: deterministic, bounded, and in every snapshot. The leader's desk keeps another one, of
// answers that no log entry has told the others yet.
// Thread-safety: none; one owner. Ownership: owns the replies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"
#include "protocol/resp.h"

namespace chainring::coordinator {

// A reply that is kept. One that tells how long a lock is still valid is made anew whenever it leaves (R25).
struct LockReply {
  std::string resp;     // empty when `token` is not 0
  uint64_t token = 0;   // a grant or a renewal: [token, validity in milliseconds]
  Millis deadline = 0;  // of that lock, in lock time
  template <class A>
  void fields(A& a) {
    a(resp, token, deadline);
  }
  friend bool operator==(const LockReply&, const LockReply&) = default;

  // As RESP; `now` is the lock time at which it leaves.
  [[nodiscard]] std::string render(protocol::RespVersion version, Millis now) const;
};

class Answers {
 public:
  static constexpr size_t kSendersMax = 1024;         // whoever wrote longest ago is forgotten first
  static constexpr size_t kAnswersMax = 16384;        // of one sender; older ones are then refused, never run again
  static constexpr size_t kAnswerBytesMax = 1 << 20;  // of one sender
  static constexpr size_t kAllAnswerBytesMax = size_t{128} << 20;
  static constexpr size_t kAnswerOverheadBytes = 32;  // of one in a snapshot, beside its text: counted, too

  enum class Verdict {
    fresh,    // never seen: run it
    known,    // has run: its answer is there
    expired,  // its sender called it answered: refuse it
  };
  struct Found {
    Verdict verdict;
    const LockReply* answer;  // when known; valid until the next change
  };
  [[nodiscard]] Found find(Incarnation sender, uint64_t number) const;

  // The entry at `index` answered this. Forgets the sender's answers below `answered_below`, and what is too much in
  // all: that of the senders that wrote longest ago, whose numbers so far are refused from then on. REQUIRES: sender !=
  // 0, number != 0, find() says fresh; indices never go back.
  void record(Incarnation sender, uint64_t number, uint64_t answered_below, uint64_t index, LockReply reply);

  // The answers to one sender, by number. Valid until the next change.
  [[nodiscard]] const std::map<uint64_t, LockReply>& of(Incarnation sender) const;
  [[nodiscard]] uint64_t answered_below(Incarnation sender) const;
  // They are kept elsewhere from now on. What is below answered_below() is refused all the same.
  void forget_answers(Incarnation sender);

  [[nodiscard]] size_t senders() const { return senders_.size(); }

  void write(ByteWriter& out) const;
  [[nodiscard]] size_t snapshot_bytes() const;  // that write() takes at most
  void read(ByteReader& in);

 private:
  struct Sender {
    uint64_t answered_below = 0;
    uint64_t last_index = 0;
    size_t bytes = 0;
    std::map<uint64_t, LockReply> answers;  // by number
  };
  void keep(Sender& sender, uint64_t number, LockReply reply);
  void forget_below(Sender& sender, uint64_t number);
  void forget_oldest(const Sender& newest);

  std::map<Incarnation, Sender> senders_;
  size_t bytes_ = 0;  // of all senders
};

}  // namespace chainring::coordinator
