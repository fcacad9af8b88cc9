// What a slot remembers of its writers, so that a write sent twice runs once (R20).
//
// Part of the slot's replicated state: every member of the chain records the same writes, and a head beside them those
// that changed nothing. Members may forget different ones, each by its own clock: whoever has recorded a write and
// forgotten its sender refuses the write, or the sender has written nothing for so long that the write is not sent any
// more. So nothing runs twice, whoever is head. Times are of the member's monotonic clock and never go back from call
// to call. Thread-safety: none; one owner. Ownership: owns the replies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fifo.h"
#include "base/ids.h"
#include "base/time.h"
#include "protocol/messages.h"

namespace chainring::node {

class SenderLog {
 public:
  // A sender that has written nothing to the slot for so long is dropped, as if it had never written: routers start and
  // end, and nobody strikes them off. What it wrote is answered or given up by then (request-timeout-ms), and what of
  // it was on its way for as long is not taken (Node::is_stale): so it does not come again, or docs/consistency.md says
  // under which assumption.
  static constexpr Micros kSenderSilence = 600 * kMicrosPerSecond;
  // Of one slot; the one that wrote longest ago is forgotten first. Each takes some 150 bytes: 150 MB when so many
  // wrote to every slot within kSenderSilence. Of more than so many, some are told that the outcome is unknown where a
  // retry would have told it, when an answer is lost on the way.
  static constexpr size_t kSendersMax = 64;
  // Of one sender in one slot; the oldest is then refused, never run again.
  static constexpr size_t kAnswersMax = 16384;
  // Of one sender's replies. One that is longer is not kept, and the oldest make room for later ones: what is known of
  // these is that the write has run, so it is refused when it comes again. All that is told of a slot fits one frame.
  static constexpr size_t kRepliesBytesMax = size_t{1} << 20;

  struct Answer {
    uint64_t number = 0;
    Sequence sequence = 0;  // of the record that it came from; the reply may leave when that is committed
    std::string reply;      // empty: it is not kept
    bool recorded = true;   // it is part of a record; else only this member knows it, which was the head
  };
  using Sent = protocol::Sent;
  enum class Verdict {
    fresh,    // never seen: run it
    known,    // has run: its answer is there
    expired,  // its sender called it answered, or it may have run and the answer is not kept: refuse it
  };
  struct Found {
    Verdict verdict;
    const Answer* answer;  // when known; valid until the next change
  };

  [[nodiscard]] Found find(Incarnation sender, uint64_t number, Sent sent, Micros now) const;

  // As much of a reply as is remembered: all or nothing.
  [[nodiscard]] static std::string_view kept(std::string_view reply) {
    return reply.size() <= kRepliesBytesMax ? reply : std::string_view();
  }

  // A record of this sender was applied, or what it tells of an earlier write. Forgets the sender's answers below
  // `answered_below`. With an empty reply the write is refused when it comes again. REQUIRES: sender != 0, number != 0;
  // of a sender that is not known, no write with a greater number has run that may come again.
  void record(Incarnation sender, uint64_t number, uint64_t answered_below, Sequence sequence, std::string_view reply,
              Micros now);

  // A write of this sender ran here and changed nothing, so it has no record of its own. Its answer rests on
  // `sequence`. It goes with the sender's next record (take_unrecorded): who comes after this head and knows of a later
  // write of a client must not run an earlier one behind it. REQUIRES as record().
  void note(Incarnation sender, uint64_t number, uint64_t answered_below, Sequence sequence, std::string_view reply,
            Micros now);
  // What was noted of the sender and is not answered yet, which from now on counts as recorded.
  // Lifetime: until the next change.
  [[nodiscard]] std::vector<protocol::EarlierAnswer> take_unrecorded(Incarnation sender, uint64_t answered_below,
                                                                     Micros now);

  // Whether the reply to this write takes memory, be its sender silent or not.
  [[nodiscard]] bool keeps_reply(Incarnation sender, uint64_t number) const;
  // Forgets what this write was answered, if it is known: from now on it is refused.
  void forget_reply(Incarnation sender, uint64_t number);

  // Frees what is kept of senders that are silent for kSenderSilence. To the other calls they are gone already.
  void drop_silent(Micros now);

  // All that is part of records, for a copy of the slot, and from one. What was only noted is this member's alone.
  // Clocks of two members have nothing in common: what travels is how long ago something was.
  [[nodiscard]] std::vector<protocol::SenderRecord> records(Micros now) const;
  void restore(const std::vector<protocol::SenderRecord>& records, Micros forgotten_for, Micros now);
  // For how much longer whoever is not known may have written all the same: 0 unless a sender had to make room that
  // had written within kSenderSilence.
  [[nodiscard]] Micros forgotten_for(Micros now) const { return now < forgotten_until_ ? forgotten_until_ - now : 0; }

  // For checkers: whether this log, at `now`, settles every write that the other one, at `others_now` of its clock, has
  // a recorded answer to. Senders that the other has recorded nothing of for half of kSenderSilence are left out:
  // members take their times when they apply a record, so one of them may have dropped such a sender before the other.
  [[nodiscard]] bool covers(const SenderLog& other, Micros now, Micros others_now) const;

  void clear() { *this = SenderLog(); }
  [[nodiscard]] size_t senders() const { return senders_.size(); }
  // What it takes, about; 0 when it is empty.
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  struct Sender {
    Incarnation id = 0;
    uint64_t answered_below = 0;
    Micros wrote_at = 0;     // last
    Micros recorded_at = 0;  // when its last record came, kSenderSilence ago or longer when none did
    Fifo<Answer> answers;    // by ascending number
    size_t unrecorded = 0;
    size_t reply_bytes = 0;
    uint64_t kept_from = 0;                                // no answer below this number has its reply
    [[nodiscard]] size_t place_of(uint64_t number) const;  // of the first answer that is not below it
    [[nodiscard]] size_t bytes() const { return sizeof(Sender) + answers.size() * sizeof(Answer) + reply_bytes; }
    void insert(Answer answer);
    void forget_oldest();
    void drop_oldest_replies();
    void drop_reply(size_t place);
  };
  [[nodiscard]] static bool is_silent(const Sender& sender, Micros now) {
    return now - sender.wrote_at >= kSenderSilence;
  }
  void add(Incarnation sender, uint64_t answered_below, Answer answer, Micros now);
  Sender& sender_for_writing(Incarnation sender, uint64_t number, Micros now);
  void forget_oldest_sender(Micros now);
  void drop(std::vector<Sender>::iterator sender);

  std::vector<Sender> senders_;
  size_t bytes_ = 0;
  Micros forgotten_until_ = -kNever;  // kSenderSilence after the newest of those that had to make room wrote last
};

}  // namespace chainring::node
