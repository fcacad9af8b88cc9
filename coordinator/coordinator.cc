#include "coordinator/coordinator.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "raft/configuration.h"
#include "raft/limits.h"

namespace chainring::coordinator {
namespace {

// The nodes of a recovered cluster are between two attempts to find a coordinator: half a second at most, and the
// handshake.
constexpr Micros kFoundAgain = kMicrosPerSecond;

session::RoleFacts coordinator_facts(session::RoleFacts facts) {
  facts.mode = "coordinator";
  facts.role_name = "coordinator";
  return facts;
}

// Leases, grayness and an orderly stop are reckoned from when a leadership began, and are to come to their end in it.
constexpr Micros kLeadsAtLeast = 10 * kMicrosPerSecond;
// What clients fill of a snapshot leaves room for the ring.
static_assert(kLockBytesMax + Answers::kAllAnswerBytesMax <= raft::Limits().snapshot_bytes_max / 4 * 3);

Micros micros(const Settings& settings, Setting id) { return settings.number(id) * kMicrosPerMilli; }

// The configured coordinators without this one.
std::vector<Settings::NamedAddress> others(const Settings& settings) {
  std::vector<Settings::NamedAddress> addresses = settings.addresses(Setting::coordinators);
  std::erase_if(addresses, [&](const auto& address) { return address.name == settings.text(Setting::name); });
  return addresses;
}

PlannerOptions planner_options(const Settings& settings) {
  PlannerOptions options;
  options.initial_nodes = static_cast<size_t>(settings.number(Setting::initial_nodes));
  options.empty_on_loss = settings.text(Setting::on_loss) == "empty";
  options.settle_us = micros(settings, Setting::lease_ms);
  options.repair_after_us = micros(settings, Setting::repair_after_ms);
  return options;
}

}  // namespace

Coordinator::Coordinator(Settings settings, Transport& transport, Disk& disk, Random& random, chainring::Log& log,
                         session::RoleFacts facts)
    : settings_(std::move(settings)),
      transport_(transport),
      disk_(disk),
      random_(random),
      log_(log),
      self_(session::own_identity(session::PeerRole::coordinator, settings_, random)),
      configured_(settings_.addresses(Setting::coordinators)),
      links_(transport, random, others(settings_), micros(settings_, Setting::raft_heartbeat_ms)),
      clients_(settings_, transport, random, log, *this, coordinator_facts(std::move(facts))),
      leases_(micros(settings_, Setting::lease_ms), micros(settings_, Setting::drift_margin_ms)),
      barrier_(micros(settings_, Setting::heartbeat_ms)),
      planner_(planner_options(settings_)),
      gray_(micros(settings_, Setting::lease_ms)),
      desk_(state_, *this, *this, random),
      group_desk_(links_, *this, log),
      relays_(transport) {}

Coordinator::~Coordinator() = default;

Status Coordinator::start(Now now) {
  now_ = now;
  Result<Identity> identity = load_identity(disk_, random_, self_.id);
  if (!identity.ok()) return identity.status();
  identity_ = *std::move(identity);
  self_.cluster_id = identity_.cluster_id;
  if (identity_.roster.version != 0) links_.follow(identity_.roster, identity_.disk_id, now.mono);
  const Result<uint16_t> port = transport_.listen(
      {std::string(settings_.text(Setting::bind)), static_cast<uint16_t>(settings_.number(Setting::port))});
  if (!port.ok()) return port.status();
  port_ = *port;
  clients_.set_port(port_);
  if (Status opened = open_replica(); !opened.ok()) return opened;
  links_.tick(now.mono, self_, probe());
  return Status();
}

Status Coordinator::open_replica() {
  raft::ReplicaOptions options;
  options.id = identity_.disk_id;
  options.heartbeat_us = micros(settings_, Setting::raft_heartbeat_ms);
  options.election_us = micros(settings_, Setting::election_ms);
  options.leads_at_least_us = kLeadsAtLeast;
  options.snapshot_entries = static_cast<uint64_t>(settings_.number(Setting::snapshot_entries));
  Result<std::unique_ptr<raft::Replica>> replica = raft::Replica::open(options, disk_, random_, *this, now_.mono);
  if (!replica.ok()) return replica.status();
  replica_ = *std::move(replica);
  if (replica_->founded()) return Status();
  if (!identity_.founders.empty()) return found(identity_.founders);
  std::vector<std::string> names;
  for (const Settings::NamedAddress& address : configured_) names.push_back(address.name);
  founding_.emplace(self_.id, identity_.disk_id, std::move(names));
  try_to_found();
  return outcome_;
}

protocol::Probe Coordinator::probe() const {
  const bool founded = replica_ != nullptr && replica_->founded() && identity_.cluster_id != 0;
  const Address own = own_address();
  return {self_.id, identity_.disk_id, founded,         founded ? identity_.cluster_id : 0,
          own.host, own.port,          identity_.roster};
}

void Coordinator::on_probe(const protocol::Probe& probe) {
  links_.heard(probe, now_.mono);
  if (founding_) {
    founding_->heard(probe);
    try_to_found();
  }
  const bool of_this_cluster = probe.founded && probe.cluster_id == identity_.cluster_id;
  if (!of_this_cluster || probe.list.version <= identity_.roster.version || !well_formed(probe.list)) return;
  if (Status learned = learn_roster(probe.list); !learned.ok()) end(std::move(learned));
}

void Coordinator::try_to_found() {
  Status done;
  switch (founding_->decide()) {
    case Founding::Decision::wait: {
      std::string missing;
      for (const std::string& name : founding_->missing()) append_text(missing, missing.empty() ? "" : ", ", name);
      if (missing != missing_told_) {
        log_.info(
            concat(founding_->listed() ? "not founded yet" : "looking for the group that this coordinator shall join",
                   ", waiting for coordinators: ", missing));
      }
      missing_told_ = missing;
      return;
    }
    case Founding::Decision::found:
      // Remembered first: after a crash in between, the same group is founded without asking anybody again.
      identity_.founders = founding_->founders();
      identity_.cluster_id = cluster_id_of(identity_.founders);
      identity_.roster = founding_roster(identity_.founders, configured_);
      done = save_identity(disk_, identity_);
      if (done.ok()) done = found(identity_.founders);
      break;
    case Founding::Decision::join_blank:
      log_.warning(
          concat("this directory is empty and the group was founded without it: it waits for RING COORDINATOR ADD ",
                 self_.id, " ", own_address().host, ":", own_address().port));
      identity_.cluster_id = founding_->cluster_heard();
      done = save_identity(disk_, identity_);
      if (done.ok()) done = replica_->join_blank(now_.mono);
      break;
  }
  founding_.reset();
  self_.cluster_id = identity_.cluster_id;
  if (!done.ok()) end(std::move(done));
}

Status Coordinator::found(const Founders& founders) {
  raft::Configuration configuration;
  for (const Founder& founder : founders) configuration.voters.push_back(founder.disk_id);
  std::sort(configuration.voters.begin(), configuration.voters.end());
  log_.info(concat("founding a group of ", founders.size(), " coordinators"));
  links_.follow(identity_.roster, identity_.disk_id, now_.mono);
  return replica_->found(configuration, now_.mono);
}

void Coordinator::turn(Now now, std::span<const NetEvent> events) {
  now_ = now;
  clients_.begin_turn(now);
  again_ = false;
  see_tables_leave();
  if (replica_->founded()) replica_->tick(now.mono);
  if (leading_) desk_.tick(now);
  for (const NetEvent& event : events) on_event(event);
  links_.tick(now.mono, self_, probe());
  relays_.tick(now.mono);
  clients_.flush(now);
  if (leading_) lead();
  flush();
  follow_group();
  if (ready()) push_tables();
  if (stopping_) advance_stop();
}

// Persist, then send: Raft's rule, and the only place where either happens.
void Coordinator::flush() {
  if (finished_ || !replica_->founded()) return;
  if (Status flushed = replica_->flush(); !flushed.ok()) return end(std::move(flushed));
  if (!broken_.ok()) return end(std::move(broken_));
  for (const raft::Message& message : replica_->take_messages()) links_.send(message, transport_);
}

Micros Coordinator::next_wake() const {
  if (finished_) return kNever;
  Micros next = std::min({links_.next_tick(probe().founded), clients_.next_tick(), relays_.next_tick(), stop_at_});
  if (replica_->founded()) next = std::min(next, replica_->next_tick());
  if (!leading_) return next;
  if (again_) return now_.mono;
  if (recovery_) next = std::min(next, recovery_->due);
  if (plan_index_ <= replica_->applied()) next = std::min({next, planner_.next_check(), mover_.next_check()});
  return std::min({next, desk_.next_tick(), barrier_.next_repeat(), group_at_, group_desk_.next_tick(),
                   orderly_stop_.next_check(), next_rules_tick()});
}

void Coordinator::on_event(const NetEvent& event) {
  if (event.kind == NetEvent::Kind::accepted) return clients_.accepted(event.conn, now_);
  if (links_.owns(event.conn)) {
    return links_.on_event(event, now_.mono, self_, probe(), [this](const auto& answer) { on_probe(answer); });
  }
  if (peers_.contains(event.conn)) return on_peer_event(event);
  if (relays_.owns(event.conn)) return relays_.on_event(event, now_.mono);
  if (clients_.owns(event.conn) && clients_.on_event(event, now_) == session::Clients::Outcome::became_peer) {
    welcome_peer(event.conn);
  }
}

void Coordinator::request_stop(Now now) {
  now_ = now;
  if (std::exchange(stopping_, true)) return;
  log_.info("stopping: clients are closed");
  clients_.close_all();
  stop_at_ = now.mono + micros(settings_, Setting::election_ms);
  if (!leading_) return;
  // Somebody else goes on without the wait for an election.
  const GroupLinks::Other* best = nullptr;
  for (const auto& other : links_.others()) {
    const bool votes = raft::is_voter(replica_->configuration(), other->server);
    if (votes && other->link->up() && (best == nullptr || other->matched > best->matched)) best = other.get();
  }
  if (best == nullptr || !replica_->transfer_leadership(best->server).ok()) stop_at_ = now.mono;
}

void Coordinator::advance_stop() {
  if (!leading_ || now_.mono >= stop_at_) finished_ = true;
}

void Coordinator::end(Status why) {
  if (finished_) return;
  log_.error(why.message());
  outcome_ = std::move(why);
  finished_ = true;
}

Address Coordinator::leader_address() const {
  // While this coordinator is elected but does not lead yet, nobody does.
  const raft::ServerId leader = replica_->founded() ? replica_->leader() : raft::kNobody;
  if (leader == raft::kNobody || leader == identity_.disk_id) return {};
  const ListedCoordinator* listed = find_disk(identity_.roster, leader);
  return listed == nullptr ? Address() : Address{listed->host, listed->port};
}

// ---- what Raft calls, from within flush() -------------------------------------------------------------------------

void Coordinator::apply(const raft::Entry& entry) {
  if (!broken_.ok()) return;
  const bool founded_before = state_.ring().founded();
  const Result<Applied> applied = state_.apply(entry.index, entry.data);
  if (!applied.ok()) {
    broken_ = applied.status();
    return;
  }
  // The members of a recovered cluster may hold leases that this leader does not know of.
  if (leading_ && !founded_before) leases_.begin(state_.ring().members(), now_.mono, kFoundAgain);
  if (applied->table_changed) table_changed();
  if (leading_) desk_.applied(entry.index, *applied);
  wish_applied(entry.index, applied->wish);
  rules_settled(applied->rules_outcome);
}

std::string Coordinator::snapshot() const {
  std::string snapshot = state_.snapshot();
  if (snapshot.size() > raft::Limits().snapshot_bytes_max) {
    log_.error(concat("the snapshot of the coordinators' state has ", snapshot.size(), " bytes: no coordinator that ",
                      "has lost its own or lags behind takes so many"));
  }
  return snapshot;
}

Status Coordinator::restore(std::string_view snapshot) {
  Status restored = state_.restore(snapshot);
  if (restored.ok()) table_changed();
  return restored;
}

void Coordinator::read_ready(uint64_t context) {
  const auto at = rounds_.find(context);
  if (at == rounds_.end()) return;
  Round round = std::move(at->second);
  rounds_.erase(at);
  if (!leading_) return desk_.lost(round.requests);
  for (const PendingGrant& pending : round.grants) grant(pending);
  desk_.confirmed(round.requests);
}

void Coordinator::read_failed(uint64_t context) {
  const auto at = rounds_.find(context);
  if (at == rounds_.end()) return;
  Round round = std::move(at->second);
  rounds_.erase(at);
  desk_.lost(round.requests);
}

void Coordinator::leadership(bool leading, raft::Term term, raft::ServerId leader) {
  if (leading_ && !(leading && term == term_)) cease_to_lead();
  const bool followed = !leading && leader != raft::kNobody && (term != term_ || leader != following_);
  term_ = term;
  following_ = leader;
  if (leading && !leading_) begin_to_lead();
  if (!followed || leader == identity_.disk_id) return;
  log_.info(concat("term ", term, ": following ", name_of(leader)));
}

}  // namespace chainring::coordinator
