// A router: one thread of it, one event loop, one sender of requests (R20). To its clients it is one big Redis.
//
// It finds the place of each request (route.h), sends the request's own bytes on (dispatcher.h), and hands the node's
// own bytes back in the client's order. What takes more than one request to answer is an Operation. It follows the
// coordinators' tables by itself. It holds no data: all that it keeps are requests that are not answered yet.
//
// Owns no socket, file, clock or thread: those are behind Transport, Random and the turn's `now`.
// Thread-safety: none; all calls come from one event loop. Transport, Random and Log are not owned and outlive it.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "base/settings.h"
#include "base/transport.h"
#include "ring/table.h"
#include "router/dispatcher.h"
#include "router/holds.h"
#include "router/links.h"
#include "router/merge.h"
#include "router/operation.h"
#include "router/route.h"
#include "session/clients.h"
#include "session/peer.h"

namespace chainring::router {

class Router final : public Process, private session::Backend, private Links::Handler, private Dispatcher::Receiver {
 public:
  // Draws its incarnation. `facts`: mode and role are filled in, and run_id when it is empty.
  // REQUIRES: settings.validate() was ok.
  Router(Settings settings, Transport& transport, Random& random, Log& log, session::RoleFacts facts = {});
  ~Router() override;

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now now) override;
  [[nodiscard]] bool finished() const override { return stopping_ && clients_.count() == 0; }
  [[nodiscard]] Status outcome() const override { return {}; }
  void metrics(Now now, MetricsWriter& out) const override;
  [[nodiscard]] Status health(Now now) const override;

  // What checkers and the command line look at.
  [[nodiscard]] Incarnation incarnation() const { return identity_.incarnation; }
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] const ring::Table& table() const { return table_; }
  [[nodiscard]] size_t outstanding() const { return dispatcher_.outstanding(); }

 private:
  // The operations of one kind, each at its index.
  class Operations {
   public:
    Operation& add(std::unique_ptr<Operation> operation);
    void remove(Operation& operation);
    [[nodiscard]] size_t size() const { return items_.size(); }
    // Calls visit(operation) for each; visit may remove that one.
    template <class Visit>
    void for_each(Visit&& visit) {
      for (size_t i = items_.size(); i-- > 0;) visit(*items_[i]);
    }
    template <class Test>
    [[nodiscard]] bool none_of(Test&& test) const {
      return std::none_of(items_.begin(), items_.end(), [&test](const auto& one) { return test(*one); });
    }
    [[nodiscard]] Micros next_tick() const;

   private:
    std::vector<std::unique_ptr<Operation>> items_;
  };

  // ---- session::Backend
  void request(const session::ClientRequest& request) override;
  [[nodiscard]] session::Placement placement(const protocol::CommandSpec& command,
                                             std::span<const std::string_view> args) const override;
  void transaction(const session::ClientTransaction& transaction) override;
  void client_gone(session::ClientId client) override { holds_.forget(client); }
  void info(std::string_view section, session::InfoWriter& out) override;
  [[nodiscard]] bool answers_info() const override { return true; }
  [[nodiscard]] int64_t replicas() const override;

  // ---- Links::Handler
  void on_frame(Lane& lane, const protocol::Frame& frame) override;
  void on_open(Lane& lane) override;
  void on_broken(Lane& lane, const std::vector<InFlight*>& items) override;
  void on_silent(Lane& lane) override;

  // ---- Dispatcher::Receiver
  void answered(const Recipient& to, Ending ending, std::string_view reply) override;
  [[nodiscard]] bool is_next(const Recipient& to) const override { return clients_.is_next(to.ticket); }

  void on_event(const NetEvent& event);
  void carry_out(const session::ClientRequest& request);
  void forward(const session::ClientRequest& request);
  void submit(const session::Ticket& ticket, Place place, uint8_t db, uint8_t flags, std::string_view bytes,
              bool alone);
  void begin(std::unique_ptr<Operation> operation, bool wide);
  void retire_if_finished(Operation& operation);
  [[nodiscard]] size_t before_submitting();
  void hold_back(session::ClientId client, size_t parked_before);
  void release_holds();
  void on_reply(Lane& lane, std::string_view payload);
  void on_slots_reply(Lane& lane, std::string_view payload);
  void lose(InFlight& item, const Lane& lane);
  void adopt_table(std::string_view payload);
  void tend_coordinators();
  void subscribe();
  [[nodiscard]] Micros deadline() const;
  [[nodiscard]] Micros heartbeat() const;
  void retry_operations();
  [[nodiscard]] std::string info_text(const NodeFigures& figures, std::span<const std::string_view> sections);

  Settings settings_;
  Transport& transport_;
  Random& random_;
  Log& log_;
  session::PeerIdentity identity_;
  uint16_t port_ = 0;
  Now now_;                 // the turn's reading
  bool reads_roam_ = true;  // read-from, as of this turn

  ring::Table table_;
  std::vector<std::string> lock_prefixes_;
  Plan plan_;
  session::Clients clients_;
  Links links_;
  Dispatcher dispatcher_;
  Holds holds_;
  Services services_;
  Operations splits_;  // their legs have deadlines; they need no time themselves
  Operations wide_;
  NodeFigures figures_;  // while INFO is written

  Micros subscribe_at_ = 0;
  Micros leader_heard_ = 0;  // or since when there is a reason to wait for it
  bool stopping_ = false;
};

}  // namespace chainring::router
