// What the lock keyspace remembers of its writers, so that a write sent twice runs once (R20, R29).
//
// Part of the replicated state: deterministic, bounded, and in every snapshot. The leader's desk keeps another one, of
// answers that no log entry has told the others yet.
//
// Of a sender that is forgotten, it is still known up to which number its writes may have run: one of them that is sent
// again is refused, not run. Forgotten senders share kForgottenPlaces such marks, so one in so many others may be told
// for theirs, too, that the outcome of what is sent again is unknown. Numbers of one sender run in any order here, when
// they are of other keys, so the first one after it was forgotten would be no such mark.
// Thread-safety: none; one owner. Ownership: owns the replies.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"
#include "protocol/messages.h"
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
  static constexpr size_t kForgottenPlaces = 4096;

  enum class Verdict {
    fresh,    // never seen: run it
    known,    // has run: its answer is there
    expired,  // its sender called it answered, or it may have run and the answer is not kept: refuse it
  };
  struct Found {
    Verdict verdict;
    const LockReply* answer;  // when known; valid until the next change
  };
  [[nodiscard]] Found find(Incarnation sender, uint64_t number, protocol::Sent sent) const;

  // The entry at `index` answered this. Forgets the sender's answers below `answered_below`, and what is too much in
  // all: that of the senders that wrote longest ago, whose numbers so far are refused from then on; of a sender that is
  // forgotten altogether, when they are sent again. REQUIRES: sender != 0, number != 0, find() says fresh; indices
  // never go back.
  void record(Incarnation sender, uint64_t number, uint64_t answered_below, uint64_t index, LockReply reply);

  // The answers to one sender, by number. Valid until the next change.
  [[nodiscard]] const std::map<uint64_t, LockReply>& of(Incarnation sender) const;
  [[nodiscard]] uint64_t answered_below(Incarnation sender) const;
  // They are kept elsewhere from now on. What is below answered_below() is refused all the same.
  void forget_answers(Incarnation sender);

  // What the sender wrote below this number may have run and been forgotten; 0 for nothing.
  [[nodiscard]] uint64_t forgotten_below(Incarnation sender) const { return forgotten_below_[place_of(sender)]; }
  // So it is known from elsewhere: what is sent again below `number`, and has no answer here, is refused.
  void note_forgotten(Incarnation sender, uint64_t number);

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
  static size_t place_of(Incarnation sender) { return sender % kForgottenPlaces; }
  void keep(Sender& sender, uint64_t number, LockReply reply);
  void forget_below(Sender& sender, uint64_t number);
  void forget_oldest(const Sender& newest);
  void forget_oldest_sender();

  std::map<Incarnation, Sender> senders_;
  std::array<uint64_t, kForgottenPlaces> forgotten_below_{};
  size_t bytes_ = 0;  // of all senders
};

}  // namespace chainring::coordinator
