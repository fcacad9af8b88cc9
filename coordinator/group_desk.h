// Where RING COORDINATOR ADD and REMOVE wait at the leader: until who is to come has told its disk id, until the change
// is done. What they change is recorded (coordinator/group_change.h), so a client that gives up undoes nothing, and a
// next leader goes on; a command that is sent again waits again, or is answered when all is done already.
//
// Volatile: a new leader begins with an empty desk. Pure: time is an argument; links and replies are behind interfaces.
// Thread-safety: none; one owner. Links, Sink and Log are not owned and outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/settings.h"
#include "base/time.h"
#include "coordinator/group_change.h"
#include "coordinator/group_links.h"
#include "coordinator/lock_desk.h"
#include "protocol/resp.h"

namespace chainring::coordinator {

class GroupDesk {
 public:
  static constexpr size_t kWaitingMax = 64;
  static constexpr Micros kSeekFor = 5 * kMicrosPerSecond;     // until who is to come has answered
  static constexpr Micros kTellAfter = 60 * kMicrosPerSecond;  // a change that takes longer goes on untold

  GroupDesk(GroupLinks& links, LockDesk::Sink& sink, chainring::Log& log) : links_(links), sink_(sink), log_(log) {}

  void add(const Origin& origin, protocol::RespVersion resp, const Settings::NamedAddress& whom, const GroupView& view,
           Micros now);
  void remove(const Origin& origin, protocol::RespVersion resp, std::string_view name, const GroupView& view,
              Micros now);
  // Leadership is lost: whoever waits is sent to the next leader.
  void resign();

  // Answers what is done, and says what to do next. To be asked again at next_tick(), after each change of the roster
  // or the configuration, and each turn while something is under way. What it says need not be done: it says it again.
  [[nodiscard]] GroupStep advance(const GroupView& view, Micros now);
  [[nodiscard]] Micros next_tick() const;

 private:
  struct Waiting {
    Origin origin;
    protocol::RespVersion resp = protocol::RespVersion::resp2;
    std::string name;
    bool adds = false;
    uint64_t disk_id = 0;   // of who is added; 0: not known yet
    bool recorded = false;  // of who is removed: it has been seen to leave
    Micros give_up_at = kNever;
  };
  void wait(Waiting waiting);
  void answer(const Waiting& waiting, std::string_view error);  // empty: done
  void answer_all(std::string_view name, std::string_view error);
  [[nodiscard]] GroupStep take_up(const GroupView& view, Micros now);
  [[nodiscard]] GroupStep record_removal(const GroupView& view);
  void stop_seeking();
  void settle(const GroupView& view, Micros now);

  GroupLinks& links_;
  LockDesk::Sink& sink_;
  chainring::Log& log_;
  std::vector<Waiting> waiting_;
  Micros seek_until_ = kNever;
};

}  // namespace chainring::coordinator
