// Who the coordinators are: the roster as this one knows it, changes of the group, and its own part in it (R2).

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "coordinator/coordinator.h"
#include "protocol/reply.h"
#include "raft/configuration.h"
#include "raft/raft.h"

namespace chainring::coordinator {
namespace {

std::string step_text(const GroupStep& step, std::string_view name) {
  const bool votes = raft::is_voter(step.configuration, step.server);
  const bool follows = raft::is_learner(step.configuration, step.server);
  return concat("changing the group: coordinator ", name,
                votes     ? " gets a vote"
                : follows ? " follows as a learner"
                          : " is taken out");
}

}  // namespace

// The configured address of its own name is how everybody reaches it, unless it announces another host.
Address Coordinator::own_address() const {
  const std::string_view announced = settings_.text(Setting::announce_host);
  for (const Settings::NamedAddress& address : configured_) {
    if (address.name == self_.id && (announced.empty() || announced == address.host)) {
      return {address.host, address.port};
    }
  }
  return {std::string(settings_.announced_host()), port_};
}

std::string Coordinator::name_of(raft::ServerId server) const {
  const ListedCoordinator* listed = find_disk(identity_.roster, server);
  return listed == nullptr ? "a coordinator that is not listed" : listed->name;
}

Coordinator::Part Coordinator::part() const {
  const raft::Configuration& configuration = replica_->configuration();
  if (configuration.voters.empty()) return Part::waiting;
  if (raft::is_learner(configuration, identity_.disk_id)) return Part::learner;
  // One that was away when it was taken out learns it from the others' roster.
  const bool listed = identity_.roster.version == 0 || find_disk(identity_.roster, identity_.disk_id) != nullptr;
  return listed && raft::is_voter(configuration, identity_.disk_id) ? Part::voter : Part::removed;
}

std::string_view Coordinator::state_text() const {
  if (!replica_->founded()) return "not founded";
  switch (part()) {
    case Part::waiting:
      return "waiting";
    case Part::learner:
      return "learner";
    case Part::removed:
      return "removed";
    case Part::voter:
      break;
  }
  return leading_ ? "leader" : "follower";
}

GroupView Coordinator::group_view() const {
  const raft::Core& core = *replica_->core();
  return {state_.ring().coordinators(), core.configuration(), core.log().configuration_index() <= core.committed(),
          identity_.disk_id, [&core](raft::ServerId server) { return core.has_caught_up(server); }};
}

// Remembered before it is followed, so that a start with an old configuration finds the group.
Status Coordinator::learn_roster(const Roster& roster) {
  identity_.roster = roster;
  if (Status saved = save_identity(disk_, identity_); !saved.ok()) return saved;
  links_.follow(roster, identity_.disk_id, now_.mono);
  return {};
}

// After what Raft has applied: a log that is read again after a start tells old rosters, which are not followed.
void Coordinator::follow_group() {
  if (finished_ || !replica_->founded()) return;
  const Roster& agreed = state_.ring().coordinators();
  const bool newer = agreed.version > identity_.roster.version;
  const bool other = agreed.version == identity_.roster.version && agreed != identity_.roster;
  if (newer || other) {
    if (Status learned = learn_roster(agreed); !learned.ok()) return end(std::move(learned));
    if (leading_ && newer && agreed.coordinators.size() % 2 == 0 && at_rest(group_view())) {
      log_.warning(concat("there are ", agreed.coordinators.size(),
                          " coordinators: an even number survives the loss of ",
                          "no more of them than one less would"));
    }
    again_ = again_ || leading_;
  }
  tell_part();
}

void Coordinator::tell_part() {
  const Part now = part();
  if (part_told_ == now) return;
  const std::optional<Part> before = std::exchange(part_told_, now);
  if (now == Part::removed) {
    log_.warning("this coordinator was taken out of the group and takes no part any more: stop it");
  } else if (now == Part::learner) {
    log_.info("this coordinator follows the group as a learner: it gets a vote when it has caught up");
  } else if (now == Part::voter && before) {
    log_.info("this coordinator has a vote in the group");
  }
}

// A coordinator that has moved says so itself; the list follows.
std::optional<Roster> Coordinator::roster_as_announced() const {
  const Roster& roster = state_.ring().coordinators();
  for (const ListedCoordinator& listed : roster.coordinators) {
    Address announced = own_address();
    if (listed.disk_id != identity_.disk_id) {
      const GroupLinks::Other* other = links_.find(listed.disk_id);
      if (other == nullptr || other->announced.host.empty()) continue;
      announced = other->announced;
    }
    if (announced != Address{listed.host, listed.port}) return with_address(roster, listed.disk_id, announced);
  }
  return std::nullopt;
}

void Coordinator::mind_the_group() {
  group_at_ = kNever;
  if (roster_index_ > replica_->applied()) return;  // judged again when it has been applied
  const GroupView view = group_view();
  if (std::optional<Roster> roster = roster_as_announced()) {
    take_step({GroupStep::Kind::record, raft::kNobody, {}, *std::move(roster)});
  } else {
    take_step(group_desk_.advance(view, now_.mono));
  }
  if (!at_rest(view)) group_at_ = now_.mono + settings_.number(Setting::raft_heartbeat_ms) * kMicrosPerMilli;
}

// What is refused (Raft has too much to do, somebody does not answer) is tried again.
void Coordinator::take_step(const GroupStep& step) {
  switch (step.kind) {
    case GroupStep::Kind::none:
      return;
    case GroupStep::Kind::hand_over:
      if (replica_->transfer_leadership(step.server).ok()) {
        log_.info(concat("handing over to ", name_of(step.server), ", to be taken out of the group"));
      }
      return;
    case GroupStep::Kind::configure:
      if (replica_->propose_configuration(step.configuration).ok()) log_.info(step_text(step, name_of(step.server)));
      return;
    case GroupStep::Kind::record:
      if (const auto index = propose_entry(encode_entry(CoordinatorsEntry{step.roster}))) roster_index_ = *index;
      return;
  }
}

void Coordinator::change_group(const LockRequest& request) {
  const LockCommand command = request.command();
  const auto refuse = [&](std::string_view why) {
    std::string body;
    protocol::ReplyWriter(body, request.resp).error(why);
    answer(request.origin, protocol::ReplyStatus::done, body);
  };
  const std::string_view name = command.args[3];
  if (equals_ignoring_case(command.args[2], "remove") && command.args.size() == 4) {
    again_ = true;
    return group_desk_.remove(request.origin, request.resp, name, group_view(), now_.mono);
  }
  if (!equals_ignoring_case(command.args[2], "add") || command.args.size() != 5) {
    return refuse(protocol::errors::kSyntax);
  }
  const auto whom = parse_address(concat(name, "=", command.args[4]));
  if (!whom) return refuse("ERR ADD takes a name of A-Z a-z 0-9 _ . - and an address as in 10.0.0.4:7301");
  again_ = true;
  group_desk_.add(request.origin, request.resp, *whom, group_view(), now_.mono);
}

CoordinatorStatus Coordinator::status_of(const ListedCoordinator& listed) const {
  CoordinatorStatus status{listed.name,
                           listed.host,
                           listed.port,
                           "leader",
                           replica_->applied(),
                           0,
                           raft::is_voter(replica_->configuration(), listed.disk_id)};
  if (listed.disk_id != identity_.disk_id) {
    const GroupLinks::Other* other = links_.find(listed.disk_id);
    const Micros heard_at = other == nullptr ? -1 : other->heard_at;
    const Micros quiet = 2 * settings_.number(Setting::election_ms) * kMicrosPerMilli;
    const bool heard = heard_at >= 0 && now_.mono - heard_at <= quiet;
    const bool caught_up = replica_->core()->has_caught_up(listed.disk_id);
    status.state = !heard ? "unreachable" : status.voter ? "follower" : caught_up ? "learner" : "catching up";
    status.applied = other == nullptr ? 0 : other->matched;
    status.last_heard_ms = heard_at < 0 ? -1 : (now_.mono - heard_at) / kMicrosPerMilli;
  }
  if (listed.standing == Standing::leaving && status.state != "unreachable") status.state = "leaving";
  return status;
}

}  // namespace chainring::coordinator
