// Commands: of clients that are connected here, and of clients of routers.

#include <algorithm>

#include "base/text.h"
#include "coordinator/coordinator.h"
#include "protocol/reply.h"

namespace chainring::coordinator {
namespace {

using protocol::CommandId;
using protocol::ReplyWriter;

constexpr std::string_view kTooBusy = "TRYAGAIN the coordinators have too much to do; the command was not executed";
std::string host_and_port(const Address& address) {
  return address.host.empty() ? std::string() : concat(address.host, ":", address.port);
}

std::string error(std::string_view text, protocol::RespVersion resp) {
  std::string body;
  ReplyWriter(body, resp).error(text);
  return body;
}

}  // namespace

int64_t Coordinator::replicas() const {
  return static_cast<int64_t>(std::max<size_t>(replica_->configuration().voters.size(), 1)) - 1;
}

void Coordinator::request(const session::ClientRequest& from) {
  const Origin origin{kNoConn, 0, from.ticket, 0};
  const bool needs_cluster = from.command->id != CommandId::ring_help && from.command->id != CommandId::ring_recover;
  if (needs_cluster && !ready()) {
    return answer(origin, protocol::ReplyStatus::not_leader, {});
  }
  LockRequest request(origin, *from.command, from.args);
  request.db = from.db;
  request.resp = from.resp;
  run(std::move(request));
}

session::Placement Coordinator::placement(const protocol::CommandSpec& command,
                                          std::span<const std::string_view> args) const {
  constexpr session::Place kLocks = 0;  // there is no other place here
  const LockCommand wanted{&command, args};
  const bool watches = command.id == CommandId::watch;
  std::string refusal = watches ? refuse_lock_command(wanted, state_.ring().lock_prefixes())
                                : refuse_in_transaction(wanted, state_.ring().lock_prefixes());
  if (refusal.empty()) refusal = refuse_too_long(wanted);
  if (!refusal.empty()) return {{}, std::move(refusal)};
  return {kLocks, {}};
}

void Coordinator::transaction(const session::ClientTransaction& transaction) {
  const Origin origin{kNoConn, 0, transaction.ticket, 0};
  if (!ready()) return answer(origin, protocol::ReplyStatus::not_leader, {});
  LockRequest request(origin, transaction.payload);
  request.db = transaction.db;
  request.resp = transaction.resp;
  desk_.submit(std::move(request));
}

void Coordinator::run(LockRequest request) {
  switch (request.spec->id) {
    case CommandId::ring_add:
    case CommandId::ring_cancel:
    case CommandId::ring_copies:
    case CommandId::ring_help:
    case CommandId::ring_lost:
    case CommandId::ring_pause:
    case CommandId::ring_plan:
    case CommandId::ring_remove:
    case CommandId::ring_reshard:
    case CommandId::ring_resume:
    case CommandId::ring_rules:
    case CommandId::ring_serve_empty:
    case CommandId::ring_shutdown:
    case CommandId::ring_status:
    case CommandId::ring_weight:
      return run_ring(request);
    case CommandId::ring_recover:
      return recover(request);
    case CommandId::ring_table:
      return state_table(request);
    case CommandId::ring_coordinator:
      return change_group(request);
    case CommandId::ring:
    case CommandId::lock: {
      const LockCommand command = request.command();
      return answer(request.origin, protocol::ReplyStatus::done,
                    error(concat("ERR unknown subcommand '", command.args[1].substr(0, 128), "'. See COMMAND DOCS."),
                          request.resp));
    }
    default:
      return desk_.submit(std::move(request));
  }
}

std::string Coordinator::not_leader_error() const {
  const std::string leader = host_and_port(leader_address());
  return leader.empty() ? "-NOTLEADER the coordinators have no leader at the moment; try again\r\n"
                        : concat("-NOTLEADER this coordinator does not lead; ask ", leader, "\r\n");
}

Result<uint64_t> Coordinator::propose(std::string entry) { return replica_->propose(std::move(entry)); }

void Coordinator::answer(const Origin& origin, protocol::ReplyStatus status, std::string_view body) {
  if (origin.link == kNoConn) {
    switch (status) {
      case protocol::ReplyStatus::done:
        return clients_.complete(origin.ticket, body);
      case protocol::ReplyStatus::bounced:
        return clients_.complete(origin.ticket, protocol::error_reply(kTooBusy));
      case protocol::ReplyStatus::unsettled:
        return outcome_unknown(origin);
      default:
        return clients_.complete(origin.ticket, not_leader_error());
    }
  }
  std::string* out = transport_.output(origin.link);
  if (out == nullptr) return;
  const bool sent_again = status == protocol::ReplyStatus::bounced || status == protocol::ReplyStatus::not_leader ||
                          status == protocol::ReplyStatus::unsettled;
  if (const auto peer = peers_.find(origin.link); sent_again && peer != peers_.end()) {
    peer->second.bounced = std::max(peer->second.bounced.value_or(0), origin.attempt);
  }
  const std::string leader =
      status == protocol::ReplyStatus::not_leader ? host_and_port(leader_address()) : std::string();
  protocol::append_frame(*out, protocol::FrameType::reply, protocol::Reply{origin.request, 0, status},
                         leader.empty() ? body : std::string_view(leader));
}

void Coordinator::outcome_unknown(const Origin& origin) {
  if (origin.link == kNoConn) {
    return clients_.complete(origin.ticket, protocol::error_reply(protocol::errors::kOutcomeUnknown));
  }
  answer(origin, protocol::ReplyStatus::done, protocol::error_reply(protocol::errors::kOutcomeUnknown));
}

void Coordinator::info(std::string_view section, session::InfoWriter& out) {
  if (!equals_ignoring_case(section, "chainring")) return;
  out.field("chainring_coordinator", self_.id);
  out.field("chainring_coordinator_state", state_text());
  out.field("chainring_leader", host_and_port(leading_ ? own_address() : leader_address()));
  out.field("chainring_term", static_cast<int64_t>(term_));
  out.field("chainring_applied", static_cast<int64_t>(replica_->founded() ? replica_->applied() : 0));
  out.field("chainring_table_version", static_cast<int64_t>(state_.ring().version()));
  out.field("chainring_locks", static_cast<int64_t>(state_.locks().count()));
  out.field("chainring_peers", static_cast<int64_t>(peers_.size()));
}

}  // namespace chainring::coordinator
