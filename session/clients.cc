#include "session/clients.h"

#include <utility>

#include "session/commands.h"
#include "session/session.h"
#include "session/session_metrics.h"

namespace chainring::session {

struct Clients::State {
  Session session;
};

Clients::Clients(Settings& settings, Transport& transport, Random&, Log& log, Backend& backend, RoleFacts facts)
    : state_(new State{Session(settings, transport, log, backend, std::move(facts))}) {}

Clients::~Clients() = default;

void Clients::accepted(ConnId conn, Now now) { state_->session.accepted(conn, now); }
bool Clients::owns(ConnId conn) const { return state_->session.owns(conn); }
Clients::Outcome Clients::on_event(const NetEvent& event, Now now) { return state_->session.on_event(event, now); }
std::span<const std::string> Clients::peer_args() const { return state_->session.peer_args(); }
void Clients::complete(Ticket ticket, std::string_view reply) { state_->session.complete(ticket, reply); }
bool Clients::is_next(Ticket ticket) const { return state_->session.is_next(ticket); }
void Clients::flush(Now now) { state_->session.flush(now); }
Micros Clients::next_tick() const { return state_->session.next_tick(); }
void Clients::hold(ClientId client) { state_->session.hold(client); }
void Clients::release(ClientId client) { state_->session.release(client); }
void Clients::close_all() { state_->session.close_all(); }
size_t Clients::count() const { return state_->session.client_count(); }
void Clients::begin_turn(Now now) { state_->session.set_now(now); }
void Clients::metrics(Now now, MetricsWriter& out) const { write_metrics(state_->session, now, out); }
void Clients::set_port(uint16_t port) { state_->session.set_port(port); }

std::string Clients::info(std::span<const std::string_view> sections, Now now) const {
  state_->session.set_now(now);
  return info_text(state_->session, sections);
}

}  // namespace chainring::session
