#include "coordinator/group_change.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "raft/configuration.h"
#include "raft/quorum.h"

namespace chainring::coordinator {
namespace {

bool ready(const GroupView& view, raft::ServerId server) { return server == view.leader || view.caught_up(server); }

const ListedCoordinator* joining_one(const Roster& roster) {
  const auto at = std::find_if(roster.coordinators.begin(), roster.coordinators.end(),
                               [](const auto& listed) { return listed.standing == Standing::joining; });
  return at == roster.coordinators.end() ? nullptr : &*at;
}

void insert(std::vector<raft::ServerId>& sorted, raft::ServerId server) {
  sorted.insert(std::lower_bound(sorted.begin(), sorted.end(), server), server);
}

GroupStep configure(raft::ServerId server, raft::Configuration configuration) {
  return {GroupStep::Kind::configure, server, std::move(configuration), {}};
}

GroupStep record(raft::ServerId server, Roster roster) {
  ++roster.version;
  return {GroupStep::Kind::record, server, {}, std::move(roster)};
}

GroupStep follow_as_learner(const GroupView& view, raft::ServerId server) {
  raft::Configuration to = view.configuration;
  insert(to.learners, server);
  return configure(server, std::move(to));
}

GroupStep promote(const GroupView& view, raft::ServerId server) {
  raft::Configuration to = view.configuration;
  std::erase(to.learners, server);
  insert(to.voters, server);
  return configure(server, std::move(to));
}

GroupStep call_member(const GroupView& view, raft::ServerId server) {
  Roster roster = view.roster;
  for (ListedCoordinator& listed : roster.coordinators) {
    if (listed.disk_id == server) listed.standing = Standing::member;
  }
  return record(server, std::move(roster));
}

GroupStep strike_off(const GroupView& view, const ListedCoordinator& gone) {
  Roster roster = view.roster;
  std::erase_if(roster.coordinators, [&](const auto& listed) { return listed.disk_id == gone.disk_id; });
  if (find_name(roster, gone.name) == nullptr) {
    std::erase(roster.removed, gone.name);
    roster.removed.push_back(gone.name);
    if (roster.removed.size() > kRemovedNamesMax) roster.removed.erase(roster.removed.begin());
  }
  return record(gone.disk_id, std::move(roster));
}

// A leader hands over before it leaves, so that nobody waits for an election.
GroupStep hand_over(const GroupView& view) {
  for (const ListedCoordinator& listed : view.roster.coordinators) {
    const bool stays = listed.standing != Standing::leaving && listed.disk_id != view.leader;
    if (stays && raft::is_voter(view.configuration, listed.disk_id) && view.caught_up(listed.disk_id)) {
      return {GroupStep::Kind::hand_over, listed.disk_id, {}, {}};
    }
  }
  return {};
}

GroupStep take_out(const GroupView& view, const ListedCoordinator& leaving) {
  if (!raft::is_member(view.configuration, leaving.disk_id)) return strike_off(view, leaving);
  if (leaving.disk_id == view.leader) return hand_over(view);
  raft::Configuration to = view.configuration;
  std::erase(to.voters, leaving.disk_id);
  std::erase(to.learners, leaving.disk_id);
  return configure(leaving.disk_id, std::move(to));
}

Status refused(std::string_view why) { return {ErrorCode::invalid_argument, concat("ERR ", why)}; }

// One change at a time: each rests on knowing what the group is.
Status check_no_other_change(const Roster& roster, std::string_view name) {
  for (const ListedCoordinator& listed : roster.coordinators) {
    if (listed.standing == Standing::member || listed.name == name) continue;
    return refused(concat("coordinator ", listed.name, " is being ",
                          listed.standing == Standing::joining ? "added" : "removed",
                          ": wait until RING STATUS shows it done, or undo it with RING COORDINATOR ",
                          listed.standing == Standing::joining ? "REMOVE" : "ADD"));
  }
  return {};
}

// Whether the group would go on without those of that name.
Status check_rest(const GroupView& view, std::string_view name) {
  size_t rest = 0;
  size_t live = 0;
  std::string missing;
  for (const ListedCoordinator& listed : view.roster.coordinators) {
    if (listed.name == name || !raft::is_voter(view.configuration, listed.disk_id)) continue;
    ++rest;
    if (ready(view, listed.disk_id)) {
      ++live;
    } else {
      append_text(missing, missing.empty() ? "" : ", ", listed.name);
    }
  }
  if (rest == 0) return refused(concat(name, " is the last coordinator: without it there is no group"));
  if (live >= raft::majority_of(rest)) return {};
  return refused(concat("without ", name, " the group could decide nothing: of the ", rest, " that would remain, ",
                        missing, " do not answer or lack much of the log; bring them back, or replace them, first"));
}

}  // namespace

bool at_rest(const GroupView& view) {
  return view.settled && std::all_of(view.roster.coordinators.begin(), view.roster.coordinators.end(),
                                     [](const auto& listed) { return listed.standing == Standing::member; });
}

GroupStep next_step(const GroupView& view) {
  if (!view.settled) return {};
  const ListedCoordinator* joining = joining_one(view.roster);
  if (joining != nullptr && !raft::is_member(view.configuration, joining->disk_id)) {
    return follow_as_learner(view, joining->disk_id);
  }
  const bool votes = joining != nullptr && raft::is_voter(view.configuration, joining->disk_id);
  const bool may_vote = joining != nullptr && (votes || ready(view, joining->disk_id));
  for (const ListedCoordinator& listed : view.roster.coordinators) {
    if (listed.standing != Standing::leaving) continue;
    const bool replaced = joining != nullptr && listed.name == joining->name;
    if (!replaced || may_vote) return take_out(view, listed);
  }
  if (votes) return call_member(view, joining->disk_id);
  return may_vote ? promote(view, joining->disk_id) : GroupStep{};
}

Status check_add(const GroupView& view, std::string_view name) {
  if (Status free = check_no_other_change(view.roster, name); !free.ok()) return free;
  if (find_name(view.roster, name) != nullptr) return check_rest(view, name);
  const auto staying = std::count_if(view.roster.coordinators.begin(), view.roster.coordinators.end(),
                                     [](const auto& listed) { return listed.standing != Standing::leaving; });
  if (static_cast<size_t>(staying) < kCoordinatorsMax) return {};
  return refused(
      concat("there are ", kCoordinatorsMax, " coordinators, and more make each decision slower: remove one first"));
}

Result<Roster> add_to(const GroupView& view, const ListedCoordinator& wanted) {
  Roster roster = view.roster;
  const auto same = std::find_if(roster.coordinators.begin(), roster.coordinators.end(),
                                 [&](const auto& listed) { return listed.disk_id == wanted.disk_id; });
  if (same != roster.coordinators.end()) {
    if (same->name != wanted.name) {
      return refused(concat("the directory of ", wanted.name, " is the one of coordinator ", same->name,
                            ", or a copy of it: give it an empty one"));
    }
    if (same->standing != Standing::leaving) return roster;
    if (find_name(roster, wanted.name)->standing != Standing::leaving) {
      return refused(concat(wanted.name, " has been given another directory; this one is being removed"));
    }
    same->standing = Standing::joining;
    ++roster.version;
    return roster;
  }
  if (Status allowed = check_add(view, wanted.name); !allowed.ok()) return allowed;
  for (ListedCoordinator& listed : roster.coordinators) {
    if (listed.name == wanted.name) listed.standing = Standing::leaving;
  }
  roster.coordinators.push_back(wanted);
  roster.coordinators.back().standing = Standing::joining;
  std::sort(roster.coordinators.begin(), roster.coordinators.end(),
            [](const auto& a, const auto& b) { return std::tie(a.name, a.disk_id) < std::tie(b.name, b.disk_id); });
  ++roster.version;
  if (!well_formed(roster)) return refused("the list of coordinators is full; remove some first");
  return roster;
}

Result<Roster> remove_from(const GroupView& view, std::string_view name) {
  if (find_name(view.roster, name) == nullptr) {
    return refused(concat("there is no coordinator '", name.substr(0, 64), "'; RING STATUS names them"));
  }
  if (Status free = check_no_other_change(view.roster, name); !free.ok()) return free;
  if (Status rest = check_rest(view, name); !rest.ok()) return rest;
  Roster roster = view.roster;
  bool changed = false;
  for (ListedCoordinator& listed : roster.coordinators) {
    if (listed.name != name || listed.standing == Standing::leaving) continue;
    listed.standing = Standing::leaving;
    changed = true;
  }
  if (changed) ++roster.version;
  return roster;
}

}  // namespace chainring::coordinator
