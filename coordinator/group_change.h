// How Raft's configuration follows the roster, step by step (R2; docs/conversations.md, "Changing the group").
//
// An operator's word changes the roster, which is replicated: who is to come, who is to go. Each leader derives the
// next step from the roster and Raft's configuration alone, so a new leader goes on where the last one died. Who comes
// follows as a learner until it has caught up; only then whoever it replaces goes; only then it votes. So the group
// never counts on a disk that is empty, and a dead disk is not counted beside its successor.
//
// Pure. Thread-safety: functions over the caller's values.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"
#include "coordinator/roster.h"
#include "raft/types.h"

namespace chainring::coordinator {

// The group as its leader sees it.
struct GroupView {
  const Roster& roster;
  const raft::Configuration& configuration;
  bool settled = false;                           // the configuration is committed
  raft::ServerId leader = raft::kNobody;          // this coordinator
  std::function<bool(raft::ServerId)> caught_up;  // of another one: it answers and has nearly all of the log
};

struct GroupStep {
  enum class Kind {
    none,       // all is as the roster says, or the next step has to wait for somebody
    hand_over,  // leadership, to `server`
    configure,  // Raft: `configuration`
    record,     // the replicated list: `roster`
  };
  Kind kind = Kind::none;
  raft::ServerId server = raft::kNobody;  // whom it is about
  raft::Configuration configuration = {};
  Roster roster = {};
};

[[nodiscard]] GroupStep next_step(const GroupView& view);

// Whether the roster and the configuration say the same.
[[nodiscard]] bool at_rest(const GroupView& view);

// Whether a coordinator of that name could be added now, whatever its disk is.
[[nodiscard]] Status check_add(const GroupView& view, std::string_view name);

// The roster with a coordinator that shall vote. Of a known name with another disk, the old disk goes: it is lost. The
// same roster when it is in already. An error says what stands against it, for the operator.
[[nodiscard]] Result<Roster> add_to(const GroupView& view, const ListedCoordinator& wanted);

// The roster with nobody of that name to stay. Refused when the others could not form a majority of live ones.
[[nodiscard]] Result<Roster> remove_from(const GroupView& view, std::string_view name);

}  // namespace chainring::coordinator
