#include "router/split.h"

#include <utility>

#include "base/check.h"

namespace chainring::router {
namespace {

using protocol::Routing;

SplitMerge::Kind merge_of(Routing routing) {
  switch (routing) {
    case Routing::split_sum:
      return SplitMerge::Kind::sum;
    case Routing::split_values:
      return SplitMerge::Kind::values;
    default:
      break;
  }
  CHECK(routing == Routing::split_ok, "only commands that split are split");
  return SplitMerge::Kind::ok;
}

// plan.keys stand by place: calls `visit` with the keys of each place.
template <class Visit>
void for_each_place(const Plan& plan, Visit&& visit) {
  for (size_t begin = 0; begin < plan.keys.size();) {
    size_t end = begin + 1;
    while (end < plan.keys.size() && plan.keys[end].place == plan.keys[begin].place) ++end;
    visit(std::span(plan.keys).subspan(begin, end - begin));
    begin = end;
  }
}

std::vector<std::vector<uint32_t>> keys_by_leg(const Plan& plan) {
  std::vector<std::vector<uint32_t>> keys_of_leg;
  for_each_place(plan, [&](std::span<const Plan::Key> keys) {
    std::vector<uint32_t>& leg = keys_of_leg.emplace_back();
    for (const Plan::Key& key : keys) leg.push_back(key.order);
  });
  return keys_of_leg;
}

}  // namespace

Split::Split(Services& services, const session::ClientRequest& request, const Plan& plan, Micros deadline,
             bool reads_roam)
    : Operation(services, request, deadline),
      kind_(kind_of(*request.command, reads_roam)),
      merge_(merge_of(request.command->routing), kind_ == Leg::write, keys_by_leg(plan)) {
  const auto step = static_cast<size_t>(request.command->step);  // a key and what belongs to it
  std::vector<std::string_view> args;
  for_each_place(plan, [&](std::span<const Plan::Key> keys) {
    args.assign(1, request.args[0]);
    for (const Plan::Key& key : keys) {
      for (size_t i = 0; i < step; ++i) args.push_back(request.args[key.argument + i]);
    }
    parts_.push_back({keys.front().place, request_bytes(args)});
  });
}

Operation::Leg Split::kind_of(const protocol::CommandSpec& command, bool reads_roam) {
  if ((command.flags & protocol::kWrite) != 0) return Leg::write;
  return reads_roam && any_member_answers(command) ? Leg::read_anywhere : Leg::read;
}

void Split::start(Micros now) {
  const std::vector<Part> parts = std::exchange(parts_, {});
  for (uint32_t leg = 0; leg < parts.size(); ++leg) submit_leg(leg, parts[leg].place, kind_, parts[leg].bytes, now);
}

void Split::leg_ended(uint32_t leg, Ending ending, std::string_view reply, Micros) {
  merge_.add(leg, ending, reply);
  if (merge_.complete()) answer(merge_.take());
}

}  // namespace chainring::router
