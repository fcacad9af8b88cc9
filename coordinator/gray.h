// Members that are there and cannot be reached by those who need them (R19): a cut between two hosts, a port that is
// blocked one way, a process that has its lease renewed and does nothing else.
//
// Whoever is owed something by a member that has been silent for a lease accuses it: nodes their successors and
// learners, routers nodes. An accusation is of the link, since nobody can tell which end is to blame. The end that is
// on more of the accused links is the one that chains do without for a while; it is taught anew then, and when it is
// accused again soon the wait is longer.
//
// Volatile: a new leader hears the accusations again within a heartbeat. Pure: time is an argument.
// Thread-safety: none; one owner.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/lease.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

class GrayBook {
 public:
  static constexpr Micros kFirstWait = 5 * kMicrosPerSecond;
  static constexpr Micros kWaitMax = 60 * kMicrosPerSecond;
  static constexpr size_t kAccusersMax = 32768;  // more are not heard

  struct Accuser {
    bool is_router = false;
    uint64_t id = 0;  // of the member, or the router's incarnation
    friend auto operator<=>(const Accuser&, const Accuser&) = default;
  };
  // Whom chains are to do without, and until when.
  struct Verdict {
    MemberId member = kNoMember;
    Accuser other;  // the other end of one of the links
    Micros until = 0;
  };

  // `patience_us`: how long an accusation counts that is not repeated.
  explicit GrayBook(Micros patience_us) : patience_us_(patience_us) {}

  // Leadership began.
  void begin();
  // All that `by` accuses at the moment; returns whether that is anybody.
  bool accused(Accuser by, std::vector<MemberId> whom, Micros now);
  // The next member to do without, if any: one at a time, so none while an earlier one is still in a chain that others
  // could serve; none when everybody accuses and no single end explains it.
  [[nodiscard]] std::optional<Verdict> judge(const RingState& ring, const LeaseBook& leases, Micros now);

 private:
  struct Accusation {
    std::vector<MemberId> whom;
    Micros said_at = 0;
  };
  struct Link {
    Accuser by;
    MemberId whom = kNoMember;
  };
  struct Guilt {
    Accuser end;
    Accuser other;  // the other end of one of its links
  };
  struct Wait {
    Micros length = 0;
    Micros ends = 0;
  };
  [[nodiscard]] static Accuser end_of(const Link& link) { return {false, link.whom}; }
  [[nodiscard]] static bool one_is_leaving(const RingState& ring, const LeaseBook& leases, Micros now);
  [[nodiscard]] static std::optional<Guilt> guiltiest(const std::vector<Link>& accused);
  [[nodiscard]] static bool nobody_explains(const RingState& ring, const LeaseBook& leases, Micros now,
                                            const std::vector<Link>& accused, Accuser end);
  [[nodiscard]] std::vector<Link> links(const RingState& ring, const LeaseBook& leases, Micros now);
  [[nodiscard]] Micros wait_for(const std::string& name, Micros now);

  Micros patience_us_;
  std::map<Accuser, Accusation> accusations_;
  std::map<std::string, Wait> waits_;  // by the node's name
};

}  // namespace chainring::coordinator
