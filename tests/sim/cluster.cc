#include "tests/sim/cluster.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace chainring::sim {
namespace {

constexpr Micros kTableLateMost = 4 * kMicrosPerSecond;  // at a router that is cut off
constexpr Micros kFoundedWithin = 10 * kMicrosPerSecond;
constexpr Micros kKnownWithin = 200 * kMicrosPerMilli;
constexpr Micros kServedAgainWithin = 8 * kMicrosPerSecond;
constexpr Micros kInPlaceWithin = 30 * kMicrosPerSecond;
constexpr Micros kGroupWholeWithin = 20 * kMicrosPerSecond;
constexpr Micros kAnsweredWithin = 10 * kMicrosPerSecond;
constexpr Micros kGoesOnFor = kMicrosPerSecond;
// The time of a lock runs by the leader's clock, and somebody has to ask before it is told.
constexpr Micros kLocksFreeWithin = kLockTtl + kLockTtl / 1'000 * kDriftPpmMost / 1'000 + 50 * kMicrosPerMilli;
// While the ring changes, a slot that moves waits for its barrier; a failure is noticed when a lease has run out.
constexpr Micros kCalmWaitMost = 80 * kMicrosPerMilli;
constexpr Micros kFailureWaitMost = 600 * kMicrosPerMilli;
constexpr Micros kLookEvery = 10 * kMicrosPerMilli;
constexpr Millis kRepairLate = 10'000;  // nobody is away for so long
constexpr size_t kJudgeStatesMax = 200'000;
constexpr uint64_t kUnjudgedKeysMost = 3;  // of a run

// Mostly the smallest that can lose a node and a coordinator.
Shape draw_shape(Random& random) {
  Shape shape;
  if (random.percent(25)) shape.nodes = 3 + random.below(3);
  if (random.percent(10)) shape.coordinators = 5;
  if (random.percent(5)) shape.coordinators = 1;
  if (random.percent(20)) shape.routers = 1 + random.below(3);
  if (random.percent(50)) shape.eager_clients = true;
  if (random.percent(25)) shape.reads_keep_to_heads = true;
  if (random.percent(25)) shape.repair_after = 600 + static_cast<Millis>(random.below(1000));
  return shape;
}

}  // namespace

Cluster::Cluster(const ClusterPlan& plan)
    : plan_(plan),
      world_(plan.seed, plan.verbose),
      hosts_(world_, draw_shape(world_.random()), notebook_, world_time_),
      invariants_(world_, hosts_, slots_in_use()),
      caretaker_(hosts_, invariants_, notebook_, world_time_),
      sabotage_(world_, hosts_),
      rescuer_(hosts_.add_rescuer([this] {
        notebook_.lost_locks.back().returned = world_time_;
        notebook_.lost_locks.back().certain = true;
      })) {
  sabotage_.on_coordinators_lost = [this] { coordinators_lost(); };
  world_.after_turn = [this](HostId host) {
    if (hosts_.is_node(host)) sabotage_.note_turn(host);
    invariants_.after_turn(host);
    if (!invariants_.violation().empty()) violate(invariants_.violation());
  };
  world_.after_start = [this](HostId host) {
    if (hosts_.is_coordinator(host)) invariants_.coordinator_started(host);
  };
  world_.before_kill = [this](HostId host) {
    if (hosts_.is_coordinator(host)) invariants_.coordinator_killed(host);
  };
  world_.on_end = [this](HostId host) {
    const Status outcome = world_.process(host)->outcome();
    const bool may_lose_its_place = hosts_.is_node(host) && hosts_.shape().repair_after < kRepairLate;
    if (may_lose_its_place && !outcome.ok() && outcome.code() == ErrorCode::unavailable) {
      return sabotage_.another_life(host);
    }
    if (!sabotage_.ended_as_asked(host) || !outcome.ok()) {
      violate(concat(world_.name(host), " ended by itself: ", outcome.message()));
    }
  };
}

void Cluster::violate(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

void Cluster::coordinators_lost() {
  notebook_.lost_locks.push_back({.called = world_time_});
  invariants_.group_lost();
  hosts_.let_coordinators_recover();
  world_.start(rescuer_);
}

void Cluster::run_for(Micros length) {
  const Micros until = world_.now() + length;
  while (violation_.empty() && world_.next_at() <= until) {
    world_time_ = world_.next_at();
    world_.step();
  }
  world_.run_until(until);  // nothing is left but the time
}

void Cluster::wait(Micros most, std::string_view violation, const std::function<bool()>& done) {
  const Micros until = world_.now() + most;
  while (violation_.empty() && !done()) {
    if (world_.now() >= until) return violate(std::string(violation));
    run_for(kLookEvery);
  }
}

RunReport Cluster::run() {
  if (plan_.course != Course::torment) {
    world_.faults().breaks_per_100k = world_.faults().late_per_100k = 0;
    notebook_.no_errors_from = 0;
  }
  for (const HostId host : hosts_.coordinators()) world_.start(host);
  for (const HostId host : hosts_.nodes()) world_.start(host);
  for (const HostId host : hosts_.routers()) world_.start(host);
  wait(kFoundedWithin, "the cluster did not come up", [this] { return all_served(); });
  for (const HostId host : hosts_.clients()) world_.start(host);
  for (const HostId host : hosts_.node_clients()) world_.start(host);
  world_.start(hosts_.operator_host());
  hosts_.the_operator()->follow(caretaker_);
  if (plan_.course != Course::torment) hosts_.the_operator()->leave_the_rules();
  everybody_knows_at_ = world_.now() + kKnownWithin;
  go_through(plan_.course);

  RunReport report;
  const Micros healed = world_.now();
  wait(kServedAgainWithin, "faults stopped, and a slot that somebody holds is not served again",
       [this] { return hosts_.leader() != nullptr && all_served_but(caretaker_.orphans()); });
  wait(kInPlaceWithin, "faults stopped, and beside lost slots others do not come to where they belong",
       [this] { return hosts_.leader() != nullptr && rest_is_in_place(caretaker_.orphans()); });
  caretaker_.leave_lost_slots(false);
  wait(kServedAgainWithin, "faults stopped, and some slot is not served again", [this] { return all_served(); });
  report.served_after = world_.now() - healed;
  wait(kGroupWholeWithin, "faults stopped, and a coordinator still has no vote",
       [this] { return hosts_.group_is_whole(); });
  hosts_.the_operator()->retire();
  wait(kInPlaceWithin, "faults stopped, and the slots do not come to where they belong",
       [this] { return all_in_place(); });
  finish_with_clients();
  wait(kInPlaceWithin, "all is quiet, and copies differ", [this] { return all_in_place() && difference().empty(); });
  if (!violation_.empty() && !all_in_place()) append_text(violation_, "; ", misplaced());
  if (!violation_.empty()) append_text(violation_, "; ", difference());
  if (violation_.empty()) invariants_.check_all_slots();
  if (violation_.empty()) violation_ = invariants_.violation();
  caretaker_.look();
  if (violation_.empty() && !notebook_.complaints.empty()) violate(notebook_.complaints.front());
  if (violation_.empty()) judge_waits(report);
  if (violation_.empty()) judge_histories(report);
  if (violation_.empty()) judge_locks();
  if (violation_.empty()) judge_what_was_given_up();
  report.violation = violation_;
  report.operations = notebook_.operations.size();
  report.answered = notebook_.answered;
  report.errors = notebook_.errors;
  report.grants = notebook_.grants.size();
  report.ring_changes = hosts_.the_operator()->granted();
  report.faults = world_.counts();
  return report;
}

// They go on for a while, now that nothing stands in their way, and at the end all is read through each router.
void Cluster::finish_with_clients() {
  wait(kAnsweredWithin, "faults stopped, and their effects do not end", [this] { return world_.at_rest(); });
  run_for(kKnownWithin);  // by routers
  notebook_.at_rest_from = world_.now();
  notebook_.no_errors_from = std::min(notebook_.no_errors_from, notebook_.at_rest_from);
  run_for(kGoesOnFor);
  for (const HostId host : hosts_.clients()) hosts_.client(host)->stop_calling();
  for (const HostId host : hosts_.node_clients()) hosts_.node_client(host)->stop_calling();
  wait(kAnsweredWithin, "faults stopped, and a client still waits for a reply", [this] { return all_answered(); });
  run_for(kLocksFreeWithin);
  notebook_.locks_free_from = world_.now();
  hosts_.client(hosts_.clients().front())->read_all();
  world_.wake(hosts_.clients().front());
  wait(kAnsweredWithin, "all is quiet, and a client waits for a reply", [this] { return all_answered(); });
}

void Cluster::go_through(Course course) {
  if (course == Course::torment) {
    sabotage_.begin();
    run_for(plan_.faults_for / 3 * 2);
    caretaker_.leave_lost_slots(true);
    run_for(plan_.faults_for / 3);
  } else {
    run_for(plan_.faults_for / 2);
    if (course == Course::failure) {
      wait(plan_.faults_for, "no node could be made to fail", [this] { return sabotage_.fail_a_node(); });
    }
    run_for(plan_.faults_for / 2);
  }
  sabotage_.end();
}

void Cluster::judge_waits(RunReport& report) {
  const Micros most = plan_.course == Course::calm ? kCalmWaitMost : kFailureWaitMost;
  for (const Operation& operation : notebook_.operations) {
    const bool at_a_router = operation.client <= hosts_.clients().size();
    if (!at_a_router || operation.called < everybody_knows_at_) continue;
    const bool is_judged = operation.called >= notebook_.no_errors_from;
    if (operation.returned == kNever && !is_judged) continue;
    const Micros waited = std::min(operation.returned, world_time_) - operation.called;
    report.longest_wait = std::max(report.longest_wait, waited);
    if (!is_judged || waited <= most) continue;
    violate(concat("a client of a router waited for ", waited, " microseconds; ", most, " are allowed: ", operation.key,
                   " from ", operation.called));
  }
}

// A request is given up before its time is over only when two members lapsed while it was out at them (R13), by what
// its router knows: that may be late.
void Cluster::judge_what_was_given_up() {
  for (const Notebook::GivenUp& one : notebook_.given_up_early) {
    if (invariants_.lapsed_between(one.called - kTableLateMost, one.answered) >= 2) continue;
    return violate(concat(one.what, " at ", one.answered, ", called at ", one.called));
  }
}

bool Cluster::all_served_but(const Caretaker::Slots& lost) const {
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (lost.test(slot)) continue;
    const bool served = std::any_of(hosts_.nodes().begin(), hosts_.nodes().end(),
                                    [&](HostId host) { return invariants_.serves(host, static_cast<Slot>(slot)); });
    if (!served) return false;
  }
  return true;
}

bool Cluster::all_in_place() const {
  const coordinator::Coordinator* leading = hosts_.leader();
  if (leading == nullptr) return false;
  const coordinator::RingState& ring = leading->state().ring();
  if (ring.wishes() != ring.target_wishes() || ring.slots_left() != 0 || ring.rules_change().since != 0) return false;
  for (const HostId host : hosts_.nodes()) {
    const node::Node* node = hosts_.node(host);
    if (node == nullptr || node->table().version() != ring.version()) return false;
  }
  return all_served();
}

bool Cluster::rest_is_in_place(const Caretaker::Slots& lost) const {
  if (lost.none()) return true;  // all of them are waited for later
  const coordinator::RingState& ring = hosts_.leader()->state().ring();
  bool in_place = true;
  coordinator::for_each_part(ring.ranges(), ring.target(),
                             [&](Slot first, Slot, const protocol::TableRange& range, const auto& run) {
                               in_place = in_place && (lost.test(first) || range.chain == run.chain);
                             });
  return in_place;
}

bool Cluster::all_answered() const {
  return std::all_of(hosts_.clients().begin(), hosts_.clients().end(),
                     [&](HostId host) { return hosts_.client(host)->quiet(); }) &&
         std::all_of(hosts_.node_clients().begin(), hosts_.node_clients().end(),
                     [&](HostId host) { return hosts_.node_client(host)->quiet(); });
}

std::string Cluster::misplaced() const {
  const coordinator::Coordinator* leading = hosts_.leader();
  if (leading == nullptr) return "nobody leads";
  const coordinator::RingState& ring = leading->state().ring();
  std::string text =
      concat("wishes ", ring.wishes(), ", target for ", ring.target_wishes(), ring.paused() ? ", paused" : "",
             ring.rules_change().since != 0 ? ", rules change" : "", ", ", ring.slots_left(), " slots left");
  for (const coordinator::IntendedRun& run : ring.target()) {
    const protocol::TableRange& range = ring.range_of(run.first);
    if (range.chain == run.chain) continue;
    append_text(text, "; slot ", run.first, " epoch ", range.epoch, " next ", range.next_epoch, " goal of ",
                range.goal.size());
    for (const MemberId member : range.chain) append_text(text, " has ", member);
    for (const MemberId member : run.chain) {
      append_text(text, " wants ", member);
      const node::Node* node = hosts_.node_of(member);
      if (node == nullptr) continue;
      const node::Chains& chains = node->store().chains();
      const node::Chains::View view = chains.view(run.first);
      append_text(text, " (epoch ", view.epoch, " promised ", view.promised, " applied ", view.applied,
                  view.learning ? " learning" : "", chains.copies().has_work() ? " copying" : "", ")");
      for (const protocol::LearnedRun& learned : chains.learned().runs) {
        if (learned.first <= run.first && run.first <= learned.last) append_text(text, " learned at ", learned.epoch);
      }
    }
    break;
  }
  for (const coordinator::Member& member : ring.members()) {
    append_text(text, "; ", member.listed.id, " ", member.listed.name, " state ", static_cast<int>(member.listed.state),
                member.placed ? " placed" : "", member.draining ? " draining" : "");
    const node::Node* node = hosts_.node_of(member.listed.id);
    if (node == nullptr) continue;
    append_text(text, " table ", node->table().version(), " of ", ring.version());
  }
  return text;
}

// Whether every member of a chain holds the same; the text says who does not.
std::string Cluster::difference() const {
  const coordinator::Coordinator* leading = hosts_.leader();
  if (leading == nullptr) return "nobody leads";
  for (const protocol::TableRange& range : leading->state().ring().ranges()) {
    if (range.chain.empty()) return concat("slot ", range.first, " has no chain yet");
    const node::Node* head = hosts_.node_of(range.chain.front());
    for (const MemberId member : range.chain) {
      const node::Node* node = hosts_.node_of(member);
      if (head == nullptr || node == nullptr) return "a chain names somebody who is not there";
      for (uint32_t at = range.first; at <= range.last; ++at) {
        const auto slot = static_cast<Slot>(at);
        const Sequence ours = head->store().chains().applied(slot), theirs = node->store().chains().applied(slot);
        if (ours != theirs || node->store().database()->digest(slot) != head->store().database()->digest(slot)) {
          return concat("slot ", slot, " epoch ", range.epoch, ": member ", member, " holds something else at ", theirs,
                        " than its head at ", ours);
        }
      }
    }
  }
  return {};
}

// ---- histories -----------------------------------------------------------------------------------------------------

void Cluster::judge_histories(RunReport& report) {
  std::map<std::string, std::vector<Operation>> by_key;
  for (const Operation& operation : notebook_.operations) by_key[operation.key].push_back(operation);
  const auto was_lost = [&](const std::string& key) { return !losses_of(key, notebook_).empty(); };
  for (const std::string& key : counted_keys()) {
    if (was_lost(key)) continue;
    // The last that happened was to read it.
    const int64_t total = parse_int(by_key[key].back().result.value_or("0")).value_or(0);
    if (const auto wrong = judge_total(by_key[key], total)) return violate(*wrong);
  }
  if (const std::string key = ordered_keys().front(); !was_lost(key)) {
    if (const auto wrong = judge_order(notebook_.ordered_reads, by_key[key])) return violate(*wrong);
  }
  for (auto& [key, operations] : by_key) {
    for (const Loss& loss : losses_of(key, notebook_)) add_loss(key, loss, operations);
    const Verdict verdict = judge(std::move(operations), kJudgeStatesMax);
    if (verdict.gave_up) ++report.unjudged_keys;
    if (!verdict.linearizable) return violate(verdict.explanation);
  }
  if (report.unjudged_keys > kUnjudgedKeysMost) {
    violate(concat(report.unjudged_keys, " keys could not be judged within ", kJudgeStatesMax, " states each"));
  }
}

void Cluster::judge_locks() {
  for (const Loss& loss : notebook_.lost_locks) add_loss(loss, notebook_.grants);
  if (const auto wrong = judge_grants(notebook_.grants)) return violate(*wrong);
  const bool any_granted = std::any_of(notebook_.grants.begin(), notebook_.grants.end(),
                                       [&](const Grant& grant) { return grant.called < notebook_.at_rest_from; });
  if (!any_granted) violate("no lock was granted in all that time");
}

}  // namespace chainring::sim
