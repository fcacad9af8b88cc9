// What the leader does each turn: leases, plans, the barrier, tables.

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "coordinator/coordinator.h"
#include "coordinator/lost_slots.h"
#include "protocol/lock_keys.h"

namespace chainring::coordinator {
namespace {

constexpr uint64_t kGeneration = 1;  // of a newly founded cluster

}  // namespace

void Coordinator::begin_to_lead() {
  leading_ = true;
  ++counts_.leaderships;
  log_.info(concat("term ", term_, ": leading"));
  // Who asks the old leader gives it up after half a lease.
  leases_.begin(state_.ring().members(), now_.mono, leases_.lease_us() / 2);
  planner_.begin();
  mover_.begin();
  gray_.begin();
  rules_check_.begin();
  barrier_.begin(state_.ring().ranges());
  desk_.lead(replica_->heartbeat_note(), now_);
  plan_index_ = activation_index_ = settings_index_ = roster_index_ = lapse_index_ = rules_index_ = 0;
  orderly_stop_.begin();
  digest_told_ = state_.digest_mark().index;
  lost_slots_ = standing_slots_ = 0;
  look_again();
  if (protocol::parse_lock_prefixes(settings_.text(Setting::lock_prefixes)) != state_.ring().lock_prefixes() &&
      state_.ring().founded()) {
    log_.warning("lock-prefixes differ from those that the cluster was founded with, which stay in force");
  }
}

// Something that plans or the barrier rest on has changed.
void Coordinator::look_again() { plan_due_ = barrier_due_ = rules_due_ = again_ = true; }

void Coordinator::cease_to_lead() {
  leading_ = false;
  log_.info(concat("term ", term_, ": leading no more"));
  rounds_.clear();  // the desk gives back what waited for them
  desk_.resign();
  for (const auto& [index, request] : std::exchange(wishes_, {})) outcome_unknown(request.origin);
  group_desk_.resign();
  give_up_recovery();
  for (const RulesWish& wish : std::exchange(rules_wishes_, {})) {
    answer(wish.request.origin, protocol::ReplyStatus::bounced, {});  // it can be sent again
  }
  pending_grants_.clear();
  registering_.clear();
  leaving_.clear();
  given_up_.clear();
  barrier_.clear();
  plan_due_ = barrier_due_ = rules_due_ = gray_due_ = false;
  // Who was served here has to find the next leader.
  for (auto& [conn, peer] : peers_) {
    if (peer.tables.wanted()) tell_leader(conn);
    peer.tables.leadership_ended();
  }
}

void Coordinator::lead() {
  replica_->set_heartbeat_note(desk_.time());
  propose_own_settings();
  if (!ready()) return;
  mind_the_group();
  mind_the_stop();
  begin_round();
  mind_the_gray();
  if (plan_due_ || now_.mono >= std::min(planner_.next_check(), mover_.next_check())) propose_plan();
  if (barrier_due_ || now_.mono >= barrier_.next_repeat()) mind_the_barrier();
  mind_the_rules();
  const DigestMark& mark = state_.digest_mark();
  if (mark.index != digest_told_ && propose_entry(encode_entry(DigestEntry{mark.index, mark.digest}))) {
    digest_told_ = mark.index;
  }
}

std::optional<raft::Index> Coordinator::propose_entry(std::string entry) {
  const Result<raft::Index> index = replica_->propose(std::move(entry));
  return index.ok() ? std::optional(*index) : std::nullopt;
}

SettingsEntry Coordinator::own_settings() const {
  SettingsEntry own;
  own.lock_count_max = static_cast<uint64_t>(settings_.number(Setting::lock_count_max));
  return own;
}

// The first leader writes what the cluster is; later ones write what an operator may change, when theirs is another.
void Coordinator::propose_own_settings() {
  if (settings_index_ > replica_->applied()) return;
  if (waits_for_recovery()) return mind_the_recovery();
  std::optional<raft::Index> index;
  if (!state_.ring().founded()) {
    index = propose_entry(encode_entry(founding_entry()));
  } else if (SettingsEntry own = own_settings(); own != state_.ring().settings()) {
    index = propose_entry(encode_entry(own));
  }
  if (index) settings_index_ = *index;
}

FoundEntry Coordinator::founding_entry() const {
  FoundEntry entry;
  entry.cluster_id = identity_.cluster_id;
  entry.generation = kGeneration;
  entry.hash_seed = cluster_id_of({{"hash-seed", identity_.cluster_id}});  // another number, the same at every leader
  entry.copies = static_cast<uint32_t>(settings_.number(Setting::copies));
  entry.lock_prefixes = protocol::parse_lock_prefixes(settings_.text(Setting::lock_prefixes));
  entry.settings = own_settings();
  entry.coordinators = identity_.roster;
  return entry;
}

void Coordinator::table_changed() {
  look_again();
  if (state_.ring().change().text.empty()) {
    change_seen_at_ = -1;
  } else if (change_seen_at_ < 0) {
    change_seen_at_ = now_.mono;
  }
  std::erase_if(registering_, [&](const auto& entry) { return state_.ring().find(entry.first) != nullptr; });
  if (leading_) barrier_.follow(state_.ring().ranges());
}

void Coordinator::propose_plan() {
  if (plan_index_ > replica_->applied()) return;  // judged again when it has been applied
  plan_due_ = false;
  const Plan plan = planner_.plan(state_.ring(), leases_, now_.mono, desk_.time());
  std::optional<raft::Index> last;
  const auto propose_part = [&](const auto& part) {
    if (!part) return;
    plan_due_ = true;  // what was not taken, or changes nothing, is planned again
    if (const auto index = propose_entry(encode_entry(*part))) last = index;
  };
  propose_part(plan.states);
  propose_part(plan.intention);
  if (last) give_up(plan.gone, *last);
  if (last) tell_plan(plan);
  if (!plan.states && !plan.intention) {  // moves are planned on what is settled
    const Mover::Plan moves = mover_.plan(state_.ring(), leases_, now_.mono);
    propose_part(moves.target);
    propose_part(moves.goals);
    propose_part(moves.intention);
    if (last) tell_moves(moves);
  }
  if (last) plan_index_ = *last;
}

// They are gone by an entry that is proposed, which has no regard for a lease that is granted before it is applied.
void Coordinator::give_up(const std::vector<MemberId>& gone, raft::Index by) {
  std::erase_if(given_up_, [&](const auto& entry) { return entry.second <= replica_->applied(); });
  for (const MemberId id : gone) given_up_[id] = by;
}

void Coordinator::tell_moves(const Mover::Plan& moves) {
  if (moves.withdraws) {
    log_.warning("a planned change of chains took too long and was taken back; it is tried again, with more time");
  }
  if (moves.target && !state_.ring().target().empty()) log_.info("where slots belong is reckoned anew");
}

void Coordinator::mind_the_stop() {
  if (lapse_index_ > replica_->applied() || !orderly_stop_.lapsed(state_.ring(), leases_, now_.mono)) return;
  if (const auto index = propose_entry(encode_entry(StopLapsedEntry{}))) {
    lapse_index_ = *index;
    orderly_stop_.begin();
    log_.warning(
        "the orderly stop that was asked for was not carried out: nodes go on and no more have ended, so lost nodes "
        "are "
        "minded again");
  }
}

void Coordinator::tell_plan(const Plan& plan) {
  if (plan.states) {
    for (const MemberStateChange& change : plan.states->changes) {
      const Member* member = state_.ring().member(change.member);
      const std::string who = concat("node ", member->listed.name, " (member ", change.member, ")");
      switch (change.state) {
        case protocol::MemberState::absent:
          log_.warning(concat(who, " lost its lease"));
          break;
        case protocol::MemberState::gone:
          log_.info(concat(who, " is gone"));
          break;
        default:
          log_.info(concat(who, " is back"));
          break;
      }
    }
    for (const MemberId id : plan.states->struck) {
      log_.warning(concat("node ", state_.ring().member(id)->listed.name, " (member ", id,
                          ") is absent for longer than repair-after-ms: others get copies of what it had, but for ",
                          "the slots that stand still"));
    }
  }
  if (plan.intention) {
    uint32_t slots = 0;
    for (const IntendedRun& run : plan.intention->runs) slots += run.last - run.first + 1u;
    log_.info(concat("changing the chains of ", slots, " slots", plan.intention->from_empty ? ", from empty" : ""));
  }
  tell_lost();
}

void Coordinator::tell_lost() {
  uint32_t lost = 0, standing = 0;
  for (const protocol::TableRange& range : state_.ring().ranges()) {
    const bool is_lost = state_.ring().lost(range);
    if (is_lost) lost += slot_count(range);
    if (!is_lost && stands_still(state_.ring(), leases_, range, now_.mono)) standing += slot_count(range);
  }
  if (standing != std::exchange(standing_slots_, standing) && standing > 0) {
    log_.error(concat("nobody is there for ", standing, " slots: they go on when one of their nodes comes back with ",
                      "what it holds; chainring serve-empty lists these nodes"));
  }
  if (lost != std::exchange(lost_slots_, lost) && lost > 0) {
    log_.error(concat("every copy of ", lost,
                      " slots is lost: they are served again, empty, by an operator's word (chainring ",
                      "serve-empty), or with on-loss = \"empty\""));
  }
}

// One who cannot be reached by those who need it holds up all writes of its chains, although its lease is good (R19).
void Coordinator::mind_the_gray() {
  if (!std::exchange(gray_due_, false)) return;
  const auto verdict = gray_.judge(state_.ring(), leases_, now_.mono);
  if (!verdict) return;
  leases_.set_aside(verdict->member, verdict->until);
  look_again();
  const auto name_of_node = [&](uint64_t id) { return state_.ring().member(static_cast<MemberId>(id))->listed.name; };
  const std::string who = name_of_node(verdict->member);
  const std::string other = verdict->other.is_router ? "a router" : concat("node ", name_of_node(verdict->other.id));
  log_.warning(concat("node ", who, " and ", other, " do not reach each other: chains do without ", who, " for ",
                      (verdict->until - now_.mono) / kMicrosPerSecond, " s"));
}

void Coordinator::mind_the_barrier() {
  barrier_due_ = false;
  if (!barrier_.open()) return;
  const Barrier::Advice advice =
      barrier_.advance(now_.mono, [&](MemberId id) { return leases_.lapsed(id, now_.mono); });
  for (const auto& [member, level] : advice.levels) {
    const Member* donor = state_.ring().member(member);
    const ConnId conn = donor == nullptr ? kNoConn : link_of(donor->listed.incarnation);
    if (std::string* out = conn == kNoConn ? nullptr : transport_.output(conn)) {
      protocol::append_frame(*out, protocol::FrameType::level, level, {});
    }
  }
  renew(advice.renew);
  if (advice.activate.empty() || activation_index_ > replica_->applied()) return;
  for (const Epoch epoch : advice.activate) {
    if (const auto index = propose_entry(encode_entry(ActivationEntry{epoch}))) {
      activation_index_ = *index;
    } else {
      barrier_due_ = true;  // Raft has too much to do: the next turn tries again
    }
  }
}

// The same chains once more, under the next epoch: it shuts out what was sent under the one that is open.
void Coordinator::renew(const std::vector<IntendedRun>& runs) {
  if (runs.empty() || plan_index_ > replica_->applied()) return;  // judged again when the plan has been applied
  IntentionEntry entry;
  entry.runs = runs;
  entry.planned_on = state_.ring().ranges_version();
  if (const auto index = propose_entry(encode_entry(entry))) {
    plan_index_ = *index;
  } else {
    barrier_due_ = true;
  }
}

// One round of reads serves all that came before it began (R4).
void Coordinator::begin_round() {
  Round round{std::exchange(pending_grants_, {}), desk_.take_round()};
  if (round.grants.empty() && round.requests == 0) return;
  const uint64_t context = ++last_round_;
  if (replica_->read(context).ok()) {
    rounds_.emplace(context, std::move(round));
  } else {
    desk_.lost(round.requests);
  }
}

void Coordinator::grant(const PendingGrant& pending) {
  const Member* member = state_.ring().find(pending.incarnation);
  if (member == nullptr || !may_be_granted(state_.ring(), *member, pending.obeyed)) return;
  // The entry that declares it gone is on its way (R18, R32).
  const auto given_up = given_up_.find(member->listed.id);
  if (given_up != given_up_.end() && given_up->second > replica_->applied()) return;
  std::string* out = transport_.output(pending.conn);
  if (out == nullptr) return;
  const MemberId id = member->listed.id;
  // What it alone holds may be asked of it over the very link that is cut (R19). When its lease has lapsed nobody waits
  // for that any more, and it does not take its records for saved.
  if (std::as_const(leases_).set_aside(id, now_.mono) && is_being_left(state_.ring(), id)) return;
  if (leases_.lapsed(id, now_.mono)) look_again();
  leases_.grant(id, now_.mono);
  ++counts_.lease_grants;
  protocol::append_frame(
      *out, protocol::FrameType::grant,
      protocol::Grant{id, pending.sent_at, leases_.lease_us(), now_.wall, state_.ring().generation()}, {});
}

void Coordinator::push_tables() {
  const TableVersion version = state_.ring().version();
  for (auto& [conn, peer] : peers_) {
    if (!peer.tables.is_due(version)) continue;
    if (table_frame_version_ != version) {
      table_frame_ = encode(state_.ring().table());
      table_frame_version_ = version;
    }
    std::string* out = transport_.output(conn);
    if (out == nullptr) continue;
    protocol::append_frame(*out, protocol::FrameType::table, [&](std::string& body) { body.append(table_frame_); });
    peer.tables.sent(version, now_.mono);
    tables_leaving_.push_back(conn);
  }
}

// REQUIRES: nothing was written to any link in this turn.
void Coordinator::see_tables_leave() {
  std::erase_if(tables_leaving_, [&](ConnId conn) {
    const auto peer = peers_.find(conn);
    if (peer == peers_.end()) return true;
    peer->second.tables.turn_begins(transport_.unsent(conn), transport_.sent_late(conn), now_.mono);
    return !peer->second.tables.is_leaving();
  });
}

}  // namespace chainring::coordinator
