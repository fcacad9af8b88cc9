// A coordinator: one member of the Raft group that owns membership, ring, leases and locks. Joins the replicated state
// (coordinator/state.h) to Raft, to the other coordinators, to nodes and routers, and to clients that are connected
// here.
//
// Only the leader answers nodes, routers and clients; the others name it. What the leader knows beside the replicated
// state (leases granted, statements, waiting requests) begins anew with each leadership.
//
// Owns no socket, file, clock or thread: those are behind Transport, Disk, Random and the turn's `now`.
// Thread-safety: none; all calls come from one event loop. Transport, Disk, Random and Log are not owned and outlive
// it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/disk.h"
#include "base/process.h"
#include "base/random.h"
#include "base/settings.h"
#include "base/transport.h"
#include "coordinator/barrier.h"
#include "coordinator/founding.h"
#include "coordinator/gray.h"
#include "coordinator/group_desk.h"
#include "coordinator/group_links.h"
#include "coordinator/identity.h"
#include "coordinator/lease.h"
#include "coordinator/lock_desk.h"
#include "coordinator/mover.h"
#include "coordinator/orderly_stop.h"
#include "coordinator/planner.h"
#include "coordinator/rules_check.h"
#include "coordinator/state.h"
#include "coordinator/status.h"
#include "coordinator/table_feed.h"
#include "protocol/resp.h"
#include "raft/replica.h"
#include "session/clients.h"
#include "session/peer.h"
#include "session/relay.h"

namespace chainring::coordinator {

class Coordinator final : public Process,
                          private raft::StateMachine,
                          private session::Backend,
                          private LockDesk::Log,
                          private LockDesk::Sink {
 public:
  Coordinator(Settings settings, Transport& transport, Disk& disk, Random& random, chainring::Log& log,
              session::RoleFacts facts = {});
  ~Coordinator() override;

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now now) override;
  [[nodiscard]] bool finished() const override { return finished_; }
  [[nodiscard]] Status outcome() const override { return outcome_; }
  void metrics(Now now, MetricsWriter& out) const override;
  [[nodiscard]] Status health(Now now) const override;

  // What checkers look at.
  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] const raft::Replica* replica() const { return replica_.get(); }
  [[nodiscard]] const LeaseBook& leases() const { return leases_; }
  [[nodiscard]] bool leads() const { return leading_; }
  [[nodiscard]] uint64_t disk_id() const { return identity_.disk_id; }
  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  // A process that dialled us.
  struct Peer {
    session::PeerIdentity who;
    Micros heard_at = 0;
    std::string host;  // where it listens, as it says
    uint16_t port = 0;
    TableFeed tables;                 // wanted once it has sent a heartbeat or subscribed on this link
    std::optional<uint32_t> bounced;  // the last attempt of which a request was not taken (R10)
    bool called_foreign = false;      // a coordinator that is not of the group, and the log has said so
  };
  // A heartbeat that waits for the round that confirms the leadership (R4).
  struct PendingGrant {
    ConnId conn = kNoConn;
    Incarnation incarnation = 0;
    Micros sent_at = 0;
    TableVersion obeyed = 0;
  };
  // An operator who waits for the end of a change of the placement rules.
  struct RulesWish {
    LockRequest request;
    TableVersion change = 0;
    Micros until = 0;
  };
  // The founding of the next generation, which waits until no lease of the last one can be valid (R31).
  struct PendingRecovery {
    LockRequest request;
    std::string entry;
    Micros due = 0;
  };
  struct Round {
    std::vector<PendingGrant> grants;
    uint64_t requests = 0;  // what the desk calls it; 0: none
  };

  // What it has done since its start, for metrics.
  struct Counts {
    uint64_t leaderships = 0;
    uint64_t lease_grants = 0;
  };

  // ---- coordinator.cc: life, Raft, founding
  void on_event(const NetEvent& event);
  [[nodiscard]] Status open_replica();
  [[nodiscard]] protocol::Probe probe() const;
  void on_probe(const protocol::Probe& probe);
  void try_to_found();
  [[nodiscard]] Status found(const Founders& founders);
  void flush();
  void end(Status why);
  void advance_stop();
  [[nodiscard]] Address leader_address() const;

  void apply(const raft::Entry& entry) override;
  [[nodiscard]] std::string snapshot() const override;
  [[nodiscard]] uint64_t snapshot_bytes() const override { return state_.snapshot_bytes(); }
  [[nodiscard]] Status restore(std::string_view snapshot) override;
  void read_ready(uint64_t context) override;
  void read_failed(uint64_t context) override;
  void leadership(bool leading, raft::Term term, raft::ServerId leader) override;

  // ---- coordinator_lead.cc: what the leader does
  [[nodiscard]] bool ready() const { return leading_ && state_.ring().founded(); }
  void begin_to_lead();
  void cease_to_lead();
  void look_again();
  void lead();
  void propose_own_settings();
  void propose_plan();
  void give_up(const std::vector<MemberId>& gone, raft::Index by);
  void mind_the_stop();
  void tell_plan(const Plan& plan);
  void tell_lost();
  void tell_moves(const Mover::Plan& moves);
  void mind_the_barrier();
  void renew(const std::vector<IntendedRun>& runs);
  void mind_the_gray();
  void begin_round();
  void grant(const PendingGrant& pending);
  void push_tables();
  void see_tables_leave();
  void table_changed();
  [[nodiscard]] std::optional<raft::Index> propose_entry(std::string entry);
  [[nodiscard]] SettingsEntry own_settings() const;
  [[nodiscard]] FoundEntry founding_entry() const;

  // ---- coordinator_recover.cc: the next generation, after all coordinators were lost
  [[nodiscard]] bool waits_for_recovery() const;
  void recover(const LockRequest& request);
  void mind_the_recovery();
  void give_up_recovery();
  void state_table(const LockRequest& request);

  // ---- coordinator_group.cc: who the coordinators are
  // Where this coordinator stands in its group, as far as it knows.
  enum class Part { waiting, learner, voter, removed };
  [[nodiscard]] Part part() const;
  [[nodiscard]] std::string_view state_text() const;
  [[nodiscard]] Address own_address() const;
  [[nodiscard]] std::string name_of(raft::ServerId server) const;
  [[nodiscard]] GroupView group_view() const;
  [[nodiscard]] Status learn_roster(const Roster& roster);
  void follow_group();
  void tell_part();
  void mind_the_group();
  void take_step(const GroupStep& step);
  [[nodiscard]] std::optional<Roster> roster_as_announced() const;
  void change_group(const LockRequest& request);
  [[nodiscard]] CoordinatorStatus status_of(const ListedCoordinator& listed) const;

  // ---- coordinator_peers.cc: nodes, routers, other coordinators
  void welcome_peer(ConnId conn);
  void drop_peer(ConnId conn);
  void on_peer_event(const NetEvent& event);
  void on_peer_frame(ConnId conn, Peer& peer, const protocol::Frame& frame);
  void on_coordinator_frame(ConnId conn, Peer& peer, const protocol::Frame& frame);
  void on_heartbeat(ConnId conn, Peer& peer, std::string_view payload);
  void on_subscribe(ConnId conn, Peer& peer, std::string_view payload);
  template <class Statement>
  [[nodiscard]] std::optional<Statement> statement_of(const Peer& peer, std::string_view payload) const;
  void note_table(Peer& peer, TableVersion has);
  void on_stopped(const Peer& peer, std::string_view payload);
  void on_rules_checked(const Peer& peer, std::string_view payload);
  void on_learned(const Peer& peer, std::string_view payload);
  void let_leave(const Member& member);
  void on_request(ConnId conn, const Peer& peer, std::string_view payload);
  void register_member(const protocol::Heartbeat& heartbeat);
  void tell_leader(ConnId conn);
  [[nodiscard]] bool hears_leader() const;
  [[nodiscard]] ConnId link_of(Incarnation incarnation) const;
  void mind_generation(std::string_view peer, TableVersion obeyed);

  // ---- coordinator_clients.cc: requests of clients and routers
  void request(const session::ClientRequest& request) override;
  [[nodiscard]] session::Placement placement(const protocol::CommandSpec& command,
                                             std::span<const std::string_view> args) const override;
  void transaction(const session::ClientTransaction& transaction) override;
  void client_gone(session::ClientId) override {}  // Clients ignores late replies
  void info(std::string_view section, session::InfoWriter& out) override;
  [[nodiscard]] int64_t replicas() const override;
  void run(LockRequest request);
  [[nodiscard]] std::string not_leader_error() const;

  // ---- coordinator_ring.cc: RING
  void run_ring(const LockRequest& request);
  void serve_empty(const LockRequest& request, std::span<const std::string_view> args);
  std::optional<raft::Index> propose_wish(const LockRequest& request, std::string entry);
  [[nodiscard]] StatusFacts status_facts() const;

  // ---- coordinator_rules.cc: RING RULES
  void run_rules(const LockRequest& request);
  void wish_applied(raft::Index index, const std::optional<LockOutcome>& outcome);
  void rules_settled(const std::optional<RulesOutcomeEntry>& outcome);
  void mind_the_rules();
  [[nodiscard]] Micros next_rules_tick() const;

  // ---- LockDesk's log and sink
  Result<uint64_t> propose(std::string entry) override;
  void answer(const Origin& origin, protocol::ReplyStatus status, std::string_view body) override;
  void outcome_unknown(const Origin& origin) override;

  Settings settings_;
  Transport& transport_;
  Disk& disk_;
  Random& random_;
  chainring::Log& log_;
  session::PeerIdentity self_;
  const std::vector<Settings::NamedAddress> configured_;  // coordinators, to find the group by
  uint16_t port_ = 0;
  Now now_;  // the turn's reading

  Identity identity_;
  std::optional<Founding> founding_;  // until the group is founded
  State state_;
  std::unique_ptr<raft::Replica> replica_;
  GroupLinks links_;
  session::Clients clients_;
  std::unordered_map<ConnId, Peer> peers_;
  protocol::RequestParser parser_;

  bool leading_ = false;
  raft::Term term_ = 0;
  raft::ServerId following_ = raft::kNobody;
  LeaseBook leases_;
  Barrier barrier_;
  Planner planner_;
  Mover mover_;
  GrayBook gray_;
  OrderlyStop orderly_stop_;
  RulesCheck rules_check_;
  LockDesk desk_;
  GroupDesk group_desk_;
  std::vector<PendingGrant> pending_grants_;
  std::map<uint64_t, Round> rounds_;  // of reads that Raft was asked for
  uint64_t last_round_ = 0;
  Counts counts_;
  session::ToldRefusals told_refusals_;
  session::Relays relays_;
  std::map<Incarnation, raft::Index> registering_;  // proposed and not applied yet
  std::map<Incarnation, raft::Index> leaving_;      // the same of those that were asked to end
  std::map<raft::Index, LockRequest> wishes_;       // of operators, proposed; whom to tell
  std::map<MemberId, raft::Index> given_up_;        // declared gone by an entry that is proposed: no lease meanwhile
  std::vector<RulesWish> rules_wishes_;
  std::optional<PendingRecovery> recovery_;
  raft::Index rules_index_ = 0;       // the last outcome of a change of the rules that was proposed
  raft::Index plan_index_ = 0;        // the last entry of the newest plan
  raft::Index activation_index_ = 0;  // the last activation that was proposed
  raft::Index settings_index_ = 0;    // the same of the settings, while they are not applied
  raft::Index lapse_index_ = 0;       // of the last entry that takes an orderly stop back
  raft::Index roster_index_ = 0;      // of the last roster that was proposed
  Micros group_at_ = kNever;          // when the change of the group that is under way is looked at again
  uint64_t digest_told_ = 0;          // the index of the last mark that was proposed
  uint32_t lost_slots_ = 0;           // that were told of in the log, as the next ones
  uint32_t standing_slots_ = 0;
  Micros change_seen_at_ = -1;  // when this leader first saw the change of the ring under way
  bool plan_due_ = false;
  bool gray_due_ = false;
  bool barrier_due_ = false;
  bool rules_due_ = false;
  bool again_ = false;       // another turn is wanted at once
  std::string table_frame_;  // the newest table as payload
  TableVersion table_frame_version_ = 0;
  std::vector<ConnId> tables_leaving_;  // links whose table may still wait to leave

  std::string missing_told_;  // the coordinators that the log has named as missing
  std::optional<Part> part_told_;
  Micros stop_at_ = kNever;  // when an orderly stop does not wait any longer
  bool stopping_ = false;
  bool finished_ = false;
  Status broken_;  // found in the midst of a flush
  Status outcome_;
};

}  // namespace chainring::coordinator
