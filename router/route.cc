#include "router/route.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/slot.h"

namespace chainring::router {
namespace {

using protocol::CommandSpec;
using protocol::Routing;
using Args = std::span<const std::string_view>;

// A command with no keys at hand that still runs where keys are: any slot does, so always the same one.
constexpr Place kKeylessPlace = 0;

void send_to(Place place, Plan& plan) {
  plan.kind = Plan::Kind::one_place;
  plan.place = place;
}

void refuse(std::string why, Plan& plan) {
  plan.kind = Plan::Kind::refused;
  plan.refusal = std::move(why);
}

// Fills plan.keys in the request's order and says whether they are all of one place.
bool place_keys(const CommandSpec& command, Args args, const Placing& placing, Plan& plan) {
  plan.positions.clear();
  plan.keys.clear();
  protocol::key_positions(command, args, plan.positions);
  bool together = true;
  for (const size_t position : plan.positions) {
    const Place place = placing.place_of(args[position]);
    together = together && (plan.keys.empty() || plan.keys.front().place == place);
    plan.keys.push_back({place, static_cast<uint32_t>(plan.keys.size()), static_cast<uint32_t>(position)});
  }
  return together;
}

// The leader would refuse them: but then the command's other legs may have been executed.
bool too_many_locks(const Plan& plan) {
  if (plan.keys.size() <= protocol::kLockKeysMax) return false;
  const auto locks =
      std::count_if(plan.keys.begin(), plan.keys.end(), [](const Plan::Key& key) { return key.place == kLockPlace; });
  return static_cast<size_t>(locks) > protocol::kLockKeysMax;
}

void route_by_keys(const CommandSpec& command, Args args, const Placing& placing, Plan& plan) {
  const bool together = place_keys(command, args, placing, plan);
  if (too_many_locks(plan)) return refuse(protocol::too_many_lock_keys(), plan);
  if (together) return send_to(plan.keys.empty() ? kKeylessPlace : plan.keys.front().place, plan);
  if (command.routing == Routing::slot) return refuse(std::string(protocol::errors::kCrossSlot), plan);
  const size_t rest = args.size() - static_cast<size_t>(command.first_key);
  if (rest % static_cast<size_t>(command.step) != 0) {  // MSET with a key too many
    return refuse(protocol::errors::wrong_arity(command.name), plan);
  }
  std::sort(plan.keys.begin(), plan.keys.end(), [](const Plan::Key& a, const Plan::Key& b) {
    return std::pair(a.place, a.order) < std::pair(b.place, b.order);
  });
  plan.kind = Plan::Kind::split;
}

}  // namespace

void route(const CommandSpec& command, Args args, const Placing& placing, Plan& plan) {
  switch (command.routing) {
    case Routing::slot:
    case Routing::split_sum:
    case Routing::split_values:
    case Routing::split_ok:
      return route_by_keys(command, args, placing, plan);
    case Routing::all_slots:
      plan.kind = Plan::Kind::all_slots;
      return;
    case Routing::scan:
      plan.kind = Plan::Kind::scan;
      return;
    case Routing::coordinator:
      return send_to(kLockPlace, plan);
    case Routing::session:
      break;
  }
  if (command.id == protocol::CommandId::info) {
    plan.kind = Plan::Kind::info;
    return;
  }
  refuse(protocol::errors::unknown_command(args[0], args.data() + 1, args.size() - 1), plan);
}

bool any_member_answers(const CommandSpec& command) {
  using protocol::CommandId;
  switch (command.id) {
    case CommandId::memory_usage:
    case CommandId::object_encoding:
    case CommandId::object_freq:
    case CommandId::object_idletime:
    case CommandId::object_refcount:
    case CommandId::touch:
      return false;
    default:
      return (command.flags & protocol::kReadonly) != 0 && command.first_key != 0;
  }
}

}  // namespace chainring::router
