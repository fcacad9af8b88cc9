// RING RECOVER: an empty group founds the next generation of a cluster that has lost all its coordinators (R31).

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "coordinator/coordinator.h"
#include "coordinator/recovery.h"
#include "protocol/frame.h"
#include "protocol/reply.h"

namespace chainring::coordinator {
namespace {

uint32_t count_slots(const std::vector<protocol::SlotRange>& ranges) {
  uint32_t slots = 0;
  for (const protocol::SlotRange& range : ranges) slots += range.last - range.first + 1u;
  return slots;
}

}  // namespace

bool Coordinator::waits_for_recovery() const {
  return leading_ && !state_.ring().founded() && settings_.text(Setting::founding) == "recover";
}

void Coordinator::recover(const LockRequest& request) {
  const auto refuse = [&](std::string_view why) {
    answer(request.origin, protocol::ReplyStatus::done, protocol::error_reply(concat("ERR ", why)));
  };
  if (!leading_) return answer(request.origin, protocol::ReplyStatus::not_leader, {});
  if (!waits_for_recovery()) {
    return refuse(
        "these coordinators have a cluster. Recovering needs new ones: with empty directories, and started with "
        "--founding recover");
  }
  if (recovery_) return refuse("the next generation is about to be founded already");
  const LockCommand command = request.command();
  const std::span<const std::string_view> args = command.args.subspan(2);  // behind RING RECOVER
  const Result<Recovery> recovery = weigh_statements(args.subspan(1));
  if (!recovery.ok()) return refuse(recovery.status().message());
  const bool anyway = equals_ignoring_case(args[0], "found-anyway");
  if (equals_ignoring_case(args[0], "plan")) {
    std::string body;
    protocol::ReplyWriter(body, request.resp).bulk(recovery_json(*recovery));
    return answer(request.origin, protocol::ReplyStatus::done, body);
  }
  if (!anyway && !equals_ignoring_case(args[0], "found")) {
    return answer(request.origin, protocol::ReplyStatus::done, protocol::error_reply(protocol::errors::kSyntax));
  }
  if (const uint32_t uncovered = count_slots(recovery->uncovered); uncovered > 0 && !anyway) {
    return refuse(concat("none of these nodes holds ", uncovered, " of the slots: ask their nodes, too, or say ",
                         "FOUND-ANYWAY, which serves these slots only when one of their nodes comes"));
  }
  const Micros wait = std::max(recovery->lease_us, leases_.lease_us()) + leases_.margin_us();
  recovery_.emplace(PendingRecovery{LockRequest(request.origin, *request.spec, {}),
                                    encode_entry(recover_entry(*recovery, founding_entry())), now_.mono + wait});
  log_.warning(concat("an operator founds generation ", recovery->table.generation + 1, " of the cluster from table ",
                      recovery->table.version, " of its nodes; all locks of the last one are lost"));
}

// Whoever was granted a lease by the coordinators that were lost has ceased to serve by then, also those of whom nobody
// who was asked has heard (R31).
void Coordinator::mind_the_recovery() {
  if (!recovery_ || now_.mono < recovery_->due) return;
  PendingRecovery due = *std::exchange(recovery_, std::nullopt);
  if (const auto index = propose_wish(due.request, std::move(due.entry))) settings_index_ = *index;
}

void Coordinator::give_up_recovery() {
  if (!recovery_) return;
  answer(recovery_->request.origin, protocol::ReplyStatus::not_leader, {});
  recovery_.reset();
}

// What this leader says of the table, as a node does.
void Coordinator::state_table(const LockRequest& request) {
  std::string body;
  const protocol::TableStatement statement{protocol::kWireVersion, self_.id, self_.incarnation,
                                           leases_.lease_us(),     0,        state_.ring().table()};
  protocol::ReplyWriter(body, request.resp).bulk(encode(statement));
  answer(request.origin, protocol::ReplyStatus::done, body);
}

}  // namespace chainring::coordinator
