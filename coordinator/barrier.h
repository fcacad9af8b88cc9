// The leader's side of the barrier: who has stated which numbers for the intended epochs, who has to send whom what,
// and when an epoch may become active (R14, R15; docs/conversations.md, "The barrier").
//
// Within one epoch the number to reach never falls: records that a donor was asked for may still be on their way when
// it has lapsed, and whoever applies them behind the activation is ahead of its head. What a donor that is gone may
// have sent is shut out by intending the same chains again, under the next epoch.
//
// An epoch is activated for all of its slots at once. Those of which nobody is left would hold up the others, which are
// therefore intended again, under an epoch of their own.
//
// Volatile: a new leader asks again. Pure: it reads the replicated ring, takes statements, and gives advice.
// Thread-safety: none; one owner.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/ranges.h"
#include "protocol/messages.h"

namespace chainring::coordinator {

class Barrier {
 public:
  // `repeat_us`: after how long what a donor was asked for is asked again, while it has no effect.
  explicit Barrier(Micros repeat_us) : repeat_us_(repeat_us) {}

  // Leadership began: earlier leaders may have asked anybody for records under the epochs that the table intends.
  void begin(const Ranges& table);
  // Takes over what the table intends now. Statements for epochs that are still intended are kept.
  void follow(const Ranges& table);
  // A member's statement. What does not fit an open intention is ignored: it is late, or early and will be repeated.
  void stated(const protocol::Stopped& statement);
  void clear();

  struct Advice {
    std::vector<std::pair<MemberId, protocol::Level>> levels;  // whom to tell
    std::vector<Epoch> activate;                               // ascending
    std::vector<IntendedRun> renew;                            // slots whose chains have to be intended again
  };
  using Lapsed = std::function<bool(MemberId)>;
  // `lapsed` says whether a member's lease has run out by `now`. An epoch is advised to be activated or renewed at
  // every call until the table says that it is.
  [[nodiscard]] Advice advance(Micros now, const Lapsed& lapsed);
  // When advance() has to be called although nothing was stated: a level message may have been lost.
  [[nodiscard]] Micros next_repeat() const { return repeat_at_; }

  [[nodiscard]] bool open() const { return !ranges_.empty(); }

 private:
  // How one participant stands in one slot.
  struct Standing {
    Sequence number = kUnstated;
    MemberId donor = kNoMember;  // who was asked to send it records, and up to which
    Sequence through = 0;
    static constexpr Sequence kUnstated = UINT64_MAX;
    [[nodiscard]] bool stated() const { return number != kUnstated; }
  };
  // A range of slots in transition. Participants are the old chain's members, then those that are new.
  struct OpenRange {
    protocol::TableRange range;
    std::vector<MemberId> participants;
    std::vector<Standing> standings;  // of participant p and slot s at p * slots + (s - first)
    bool stands_still = false;        // as of the last look: it cannot go on, and nobody is there who holds it
    [[nodiscard]] Standing* of(size_t participant) { return &standings[participant * slot_count(range)]; }
    [[nodiscard]] const Standing* of(size_t participant) const { return &standings[participant * slot_count(range)]; }
  };
  // Who was asked for records under an epoch, and since when nothing was asked twice.
  struct Asked {
    std::optional<Micros> at;
    std::set<MemberId> donors;
  };
  // What is known of one epoch while its ranges are looked at.
  struct Progress {
    bool again = false;  // what was asked for is asked for again
    bool ready = true;
    bool waits = false;  // for records that somebody was or is asked to send
    bool lost_a_donor = false;
    bool some_stand = false;
    bool some_go_on = false;
    std::map<MemberId, protocol::Level> levels;
    // Whether its slots have to be intended again, all of them or those that do not stand still.
    [[nodiscard]] bool falls_apart() const { return lost_a_donor || (some_stand && some_go_on); }
  };

  [[nodiscard]] std::vector<OpenRange>::iterator first_reaching(Slot slot);
  static OpenRange opened(const protocol::TableRange& range);
  void keep_numbers(const OpenRange& from, OpenRange& to) const;
  static bool everybody_stopped(const OpenRange& open, const std::vector<bool>& gone_quiet);
  [[nodiscard]] static bool weigh(OpenRange& open, const std::vector<bool>& gone_quiet, Progress& progress);
  [[nodiscard]] static size_t donor_to_new(const OpenRange& open, const std::vector<bool>& gone_quiet, size_t s,
                                           Sequence number, size_t highest);
  static void ask_for(OpenRange& open, size_t s, size_t target, size_t donor, Progress& progress);
  [[nodiscard]] std::map<Epoch, Progress> look(Micros now, const Lapsed& lapsed);
  void ask(Micros now, Epoch epoch, Progress& progress, Advice& advice);

  Micros repeat_us_;
  std::vector<OpenRange> ranges_;  // ascending
  std::map<Epoch, Asked> asked_;
  // Advised to be activated, and perhaps on the way to it: whoever comes back with a higher number must not raise that
  // of some members now.
  std::set<Epoch> settled_;
  Micros repeat_at_ = kNever;
};

}  // namespace chainring::coordinator
