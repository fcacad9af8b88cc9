// What the router keeps of everything that it has sent on and that is not answered yet.
//
// Thread-safety: none; plain state of one router.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <boost/intrusive/list_hook.hpp>

#include "base/ids.h"
#include "base/time.h"
#include "protocol/messages.h"
#include "router/route.h"
#include "session/clients.h"

namespace chainring::router {

class Lane;
class Operation;

using ListHook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>>;

// How a request ended.
enum class Ending : uint8_t {
  replied,  // the reply is a node's or the leader's
  not_run,  // given up; it was never executed, or was a read. The reply is the error that says so
  unknown,  // given up; it may have been executed. The reply is the error that says so
};

// Who gets the reply: the client of `ticket`, or, when it is set, a leg of `operation`.
struct Recipient {
  session::Ticket ticket;
  Operation* operation = nullptr;
  uint32_t leg = 0;
};

// Anything that a link's reply will name by an id.
struct InFlight {
  enum class Kind : uint8_t { request, slots_call };
  explicit InFlight(Kind of_kind) : kind(of_kind) {}

  const Kind kind;
  uint64_t id = 0;       // on `lane`
  Lane* lane = nullptr;  // nullptr while it is not out
};

// One request to one place, kept with its bytes until it is answered or given up.
struct Outstanding : InFlight {
  Outstanding() : InFlight(Kind::request) {}

  ListHook queue_hook;     // of its place, in order of arrival
  ListHook deadline_hook;  // of all, in order of arrival
  Place place = 0;
  uint8_t db = 0;
  uint8_t flags = 0;          // of protocol::RequestFlag
  bool may_have_run = false;  // it was out, and neither an answer nor a bounce will tell what became of it
  bool alone = false;         // when it came, no earlier request of its client for this place was unanswered
  bool roams = false;         // out as a read for any member: not in the order of the head
  bool held = false;          // a read that is answered by `answer`, and waits for its client's earlier requests
  bool holds = false;         // one that is held waits for this one, or did
  uint16_t doubts = 0;        // of its place when it was sent last, see SlotQueue
  uint32_t attempt = 0;       // under which it was sent last (R10)
  uint64_t number = 0;        // of a write (R20)
  Micros deadline = 0;
  Recipient to;
  std::string bytes;
  std::string answer;
  // The last two members that it was out at and that gave no answer.
  std::array<MemberId, 2> lost_at = {kNoMember, kNoMember};

  void lost(MemberId member) {
    if (member != lost_at[0] && member != lost_at[1]) lost_at = {member, lost_at[0]};
  }
  [[nodiscard]] bool was_lost() const { return lost_at[0] != kNoMember; }

  [[nodiscard]] bool out() const { return lane != nullptr; }
  // Neither out, nor answered, nor just taken from a link that broke.
  [[nodiscard]] bool waits() const { return !out() && !roams && !held; }
  [[nodiscard]] bool is_write() const { return (flags & protocol::kRequestWrite) != 0; }
  [[nodiscard]] bool may_roam() const { return (flags & protocol::kRequestAnyMember) != 0; }
  // What it counts for against the limit on parked bytes.
  [[nodiscard]] size_t cost() const { return bytes.size() + sizeof(Outstanding); }
};

// A command for many slots, at one head (R22). Owned by its operation, at an address that does not change.
struct SlotsCall : InFlight {
  SlotsCall() : InFlight(Kind::slots_call) {}

  Operation* owner = nullptr;
  uint32_t tag = 0;  // the owner's
  std::vector<protocol::SlotRange> slots;
};

}  // namespace chainring::router
