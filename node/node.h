// A data node: one worker, one event loop, one member of the ring. Joins the store (database and chains) to the
// coordinators (leases, tables), to the other members (records, acknowledgements), to routers and to clients.
//
// Owns no socket, file, clock or thread: those are behind Transport, Random and the turn's `now`.
// Thread-safety: none; all calls come from one event loop. Transport, Random and Log are not owned and outlive it.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/latency.h"
#include "base/process.h"
#include "base/random.h"
#include "base/settings.h"
#include "base/transport.h"
#include "node/cluster_view.h"
#include "node/copy_rate.h"
#include "node/door.h"
#include "node/held.h"
#include "node/keys_walk.h"
#include "node/lease.h"
#include "node/lock_forward.h"
#include "node/rules_check.h"
#include "node/store.h"
#include "protocol/resp.h"
#include "ring/table.h"
#include "session/clients.h"
#include "session/coordinator_link.h"
#include "session/peer.h"
#include "session/relay.h"

namespace chainring::node {

class Node final : public Process, private session::Backend, private HeldReplies::Sink, private LockForward::Receiver {
 public:
  Node(Settings settings, Transport& transport, Random& random, Log& log, session::RoleFacts facts = {});
  ~Node() override;

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now now) override;
  [[nodiscard]] bool finished() const override { return finished_; }
  [[nodiscard]] Status outcome() const override { return outcome_; }
  void metrics(Now now, MetricsWriter& out) const override;
  [[nodiscard]] Status health(Now now) const override;

  // What checkers look at.
  [[nodiscard]] const Store& store() const { return store_; }
  [[nodiscard]] const NodeLease& lease() const { return lease_; }
  [[nodiscard]] MemberId self() const { return self_; }
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] const ring::Table& table() const { return table_; }

 private:
  // A process that dialled us: a router, or a member that is our predecessor in some chain.
  struct Peer {
    session::PeerIdentity who;
    std::unordered_map<Slot, uint32_t> bounced;  // the last attempt that was bounced (R10)
    bool full = false;   // it does not take its replies as fast as it asks: no more is read from it (R11)
    Micros read_at = 0;  // what had come by its link until then has been taken
    // Where the input ended at a later time, as bytes that have still to be taken; 0 for no such mark.
    size_t unread_to_mark = 0;
    Micros marked_at = 0;
  };

  // What it counts of the requests that routers send.
  struct RoutedCounts {
    std::array<uint64_t, protocol::kCommandCount> requests{};
    uint64_t bounced = 0;
    uint64_t referred = 0;  // reads that the head has to answer
    LatencyCounts durations;
  };

  // ---- node.cc: life and coordinators
  void on_event(const NetEvent& event);
  void on_coordinator_frame(const protocol::Frame& frame);
  void adopt_table(const protocol::TableMessage& message);
  void talk_to_coordinator();
  void send_heartbeat();
  void end(Status why);
  [[nodiscard]] bool serving() const { return lease_.valid(now_.mono); }
  void expire();
  void copy_to_learners();
  void check_rules();
  [[nodiscard]] bool is_needed() const;
  void mind_the_drain();
  void mind_the_door();
  void free_memory();
  void reassure();
  [[nodiscard]] uint64_t memory_max() const { return static_cast<uint64_t>(settings_.number(Setting::maxmemory)); }
  [[nodiscard]] Micros lease_length() const { return settings_.number(Setting::lease_ms) * kMicrosPerMilli; }

  // ---- node_peers.cc: links with members and routers
  void welcome_peer(ConnId conn);
  void on_peer_event(const NetEvent& event, Peer& peer);
  [[nodiscard]] bool take_frames(ConnId conn, Peer& peer);  // false: malformed
  void tend_reading(ConnId conn, const Peer& peer);
  [[nodiscard]] bool is_stale(const Peer& peer) const;
  void note_read(Peer& peer, size_t taken, size_t left);
  void on_peer_frame(ConnId conn, Peer& peer, const protocol::Frame& frame);
  void on_request(ConnId conn, Peer& peer, std::string_view payload);
  void on_slots_request(ConnId conn, std::string_view payload);
  [[nodiscard]] bool may_read(const protocol::Request& request) const;
  void turn_away(ConnId conn, Peer& peer, const protocol::Request& request);
  void bounce(ConnId conn, Peer& peer, const protocol::Request& request);
  void run_request(ConnId conn, Peer& peer, const protocol::Request& request, std::string_view command);
  void answer(ConnId conn, uint64_t request, Slot slot, protocol::ReplyStatus status, std::string_view body);
  void tend_links();
  [[nodiscard]] std::vector<MemberId> accused() const;
  void pong(ConnId conn);
  bool on_link_event(const NetEvent& event);
  [[nodiscard]] size_t room_on_link(MemberId member) const;
  void complain(std::string_view of_node, const Status& taken);
  void send_chain_messages();
  void drop_peer(ConnId conn);
  [[nodiscard]] MemberId member_of(Incarnation incarnation) const;
  [[nodiscard]] ConnId link_from(MemberId member) const;  // the one that it dialled

  // ---- node_clients.cc: clients connected to this node, INFO
  // What decides, beside the slot, whether a request has to wait.
  struct DoorState {
    TableVersion table = 0;
    bool serving = false;
    bool closed = false;
    friend bool operator==(const DoorState&, const DoorState&) = default;
  };
  static constexpr session::Place kLocks = kSlotCount;  // the lock keyspace, beside the slots
  void request(const session::ClientRequest& request) override;
  void client_gone(session::ClientId client) override;
  void info(std::string_view section, session::InfoWriter& out) override;
  [[nodiscard]] int64_t replicas() const override;
  [[nodiscard]] bool may_run_everywhere(bool writes) const;
  void run_everywhere(const session::ClientRequest& request);
  void begin_walk(const session::ClientRequest& request);
  void walk_on();
  bool walk_slice(KeysWalk& walk);
  void run_on_keys(const session::ClientRequest& request);
  void run_on_slot(const session::ClientRequest& request, Slot slot);
  void read_at_member(const session::ClientRequest& request, const Execution& execution);
  [[nodiscard]] Execution execution_for(const session::ClientRequest& request) const;
  void refuse(const session::ClientRequest& request, std::string_view why);
  void park(const session::ClientRequest& request, Slot slot);
  void park(ParkedRequest parked);
  [[nodiscard]] DoorState door_state() const;
  void tend_parked();
  void run_parked(const ParkedRequest& parked);
  [[nodiscard]] Door door(Slot slot, bool reads_here) const;
  void give_up_replies();
  [[nodiscard]] Micros request_timeout() const {
    return settings_.number(Setting::request_timeout_ms) * kMicrosPerMilli;
  }
  // Where all keys of the command are, or why they are not in one place.
  [[nodiscard]] session::Placement place_of(const protocol::CommandSpec& command,
                                            std::span<const std::string_view> args) const;
  [[nodiscard]] std::string moved(Slot slot) const;  // the error that sends a client to the head
  [[nodiscard]] std::string info_lines(std::string_view section);

  // ---- node_locks.cc: lock keys, LOCK, RING
  void forward(const session::ClientRequest& request);
  void submit_to_leader(const session::Ticket& to, uint8_t db, uint8_t flags, std::string_view bytes);
  void on_forwarded_reply(std::string_view payload);
  void tend_locks();
  void lock_answered(const session::Ticket& to, std::string_view reply) override;

  // ---- node_cluster.cc: CLUSTER, RING TABLE
  void answer_cluster(const session::ClientRequest& request);
  void count_keys_in_slot(const session::ClientRequest& request, protocol::ReplyWriter& reply) const;
  void list_keys_in_slot(const session::ClientRequest& request, protocol::ReplyWriter& reply) const;
  void follow_table();
  void state_table(const session::ClientRequest& request);

  // ---- node_transactions.cc: EXEC of clients connected to this node
  [[nodiscard]] session::Placement placement(const protocol::CommandSpec& command,
                                             std::span<const std::string_view> args) const override;
  void transaction(const session::ClientTransaction& transaction) override;
  void forward(const session::ClientTransaction& transaction);
  void park(const session::ClientTransaction& transaction);

  // ---- HeldReplies::Sink
  void release(Slot slot, const Destination& to, std::string_view reply) override;
  void unsettled(Slot slot, const Destination& to) override;
  void release_all(const Destination& to, const std::vector<Slot>& settled, std::string_view reply) override;

  Settings settings_;
  Transport& transport_;
  Random& random_;
  Log& log_;
  session::PeerIdentity identity_;
  uint16_t port_ = 0;
  Now now_;  // the turn's reading

  Store store_;
  NodeLease lease_;
  ring::Table table_;
  RulesCheck rules_check_;
  MemberId self_ = kNoMember;
  session::Clients clients_;
  session::CoordinatorLink coordinator_;

  // Of clients.
  ParkedRequests parked_;
  std::deque<KeysWalk> walks_;  // of clients that are held, one for each at most
  DoorState door_state_;        // of the end of the last turn, when the parked ones were looked at
  bool door_moved_ = false;     // since then, when something was parked
  LockForward locks_;
  ConnId locks_conn_ = kNoConn;         // that locks_ sends on
  std::optional<Address> told_leader_;  // by an answer to one of locks_
  ClusterView view_;
  mutable std::vector<size_t> key_positions_;  // reused from request to request

  std::unordered_map<ConnId, Peer> peers_;
  std::unordered_map<Incarnation, ConnId> dialled_by_;            // accepted links, by who dialled them
  std::map<MemberId, std::unique_ptr<session::PeerLink>> links_;  // that we dial
  protocol::RequestParser parser_;
  RoutedCounts routed_;
  session::ToldRefusals told_refusals_;
  session::Relays relays_;

  Micros heartbeat_at_ = 0;
  Micros coordinator_heard_ = 0;
  Micros expire_at_ = 0;
  bool heartbeat_due_ = false;
  CopyRate copy_rate_;
  bool freeing_goes_on_ = false;
  bool copying_goes_on_ = false;  // there was room for more than a turn's worth
  bool door_closed_ = false;      // too much waits for a commit: requests are not read (R11)
  Micros drained_by_ = kNever;    // asked to end: until then at most the slots are handed over
  bool stopping_ = false;
  bool finished_ = false;
  Status outcome_;
};

}  // namespace chainring::node
