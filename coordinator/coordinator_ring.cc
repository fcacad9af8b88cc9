// RING: what operators ask and wish of the cluster.

#include <algorithm>

#include "base/text.h"
#include "coordinator/coordinator.h"
#include "coordinator/reshard_plan.h"
#include "protocol/reply.h"

namespace chainring::coordinator {
namespace {

using protocol::CommandId;
using protocol::ReplyWriter;

constexpr std::string_view kRingHelp[] = {
    "RING <subcommand>. Subcommands are:",
    "STATUS [JSON]",
    "    Members, leases, slots, routers and coordinators; for programs with JSON.",
    "ADD <node>",
    "    Give a node that has registered its share of the slots. They move while they are served.",
    "REMOVE <node>",
    "    Move all slots of a node to the others; when they are gone it is idle and can be stopped.",
    "WEIGHT <node> <weight>",
    "    Give a node slots in proportion to this weight; 100 is the usual one.",
    "COPIES <count>",
    "    Keep every slot on so many nodes.",
    "PLAN [ADD <node> | REMOVE <node> | WEIGHT <node> <weight> | COPIES <count>]",
    "    What such a change would move, or what is still to be moved, as JSON. Moves nothing.",
    "RESHARD",
    "    How far the change under way has come, as JSON.",
    "PAUSE",
    "    Begin no further moves.",
    "RESUME",
    "    Go on with the moves.",
    "CANCEL",
    "    Undo the change under way: slots go back to where they were.",
    "COORDINATOR ADD <name> <host:port>",
    "    Make a coordinator that was started there with an empty directory a member of the group; of a known name, it "
    "takes the place of the one whose directory was lost.",
    "COORDINATOR REMOVE <name>",
    "    Take a coordinator out of the group.",
    "RULES LIST | ADD <pattern> | REMOVE <pattern>",
    "    The placement rules: which part of a key without a {tag} is its tag, as in bull:(*):**.",
    "SHUTDOWN",
    "    Record that the whole cluster stops in order. The next start begins with empty data and the locks that are "
    "held.",
    "HELP",
    "    Print this help.",
};

// The wish that `args` tell, the verb first; its text is checked when it is applied.
std::optional<ReshardEntry> parse_wish(std::span<const std::string_view> args) {
  ReshardEntry entry;
  const auto is = [&](std::string_view verb, size_t count) {
    return equals_ignoring_case(args[0], verb) && args.size() == count;
  };
  std::string_view value;
  if (is("add", 2) || is("remove", 2)) {
    entry.verb = is("add", 2) ? ReshardVerb::add : ReshardVerb::remove;
    entry.name = args[1];
  } else if (is("weight", 3)) {
    entry.verb = ReshardVerb::weight;
    entry.name = args[1];
    value = args[2];
  } else if (is("copies", 2)) {
    entry.verb = ReshardVerb::copies;
    value = args[1];
  } else if (is("pause", 1)) {
    entry.verb = ReshardVerb::pause;
  } else if (is("resume", 1)) {
    entry.verb = ReshardVerb::resume;
  } else if (is("cancel", 1)) {
    entry.verb = ReshardVerb::cancel;
  } else {
    return std::nullopt;
  }
  if (!value.empty()) {
    const auto number = parse_uint(value);
    if (!number || *number > UINT32_MAX) return std::nullopt;
    entry.value = static_cast<uint32_t>(*number);
  }
  return entry;
}

}  // namespace

void Coordinator::run_ring(const LockRequest& request) {
  const LockCommand command = request.command();
  const std::span<const std::string_view> args = command.args.subspan(1);
  std::string body;
  ReplyWriter writer(body, request.resp);
  switch (request.spec->id) {
    case CommandId::ring_help:
      writer.array(std::size(kRingHelp));
      for (const std::string_view line : kRingHelp) writer.simple(line);
      break;
    case CommandId::ring_status:
      if (args.size() == 1) {
        writer.verbatim(status_text(state_.ring(), status_facts()));
      } else if (args.size() == 2 && equals_ignoring_case(args[1], "json")) {
        writer.bulk(status_json(state_.ring(), status_facts()));
      } else {
        writer.error(protocol::errors::kSyntax);
      }
      break;
    case CommandId::ring_reshard:
      writer.bulk(reshard_json(state_.ring(), status_facts()));
      break;
    case CommandId::ring_plan: {
      const std::optional<ReshardEntry> wish = args.size() == 1 ? ReshardEntry() : parse_wish(args.subspan(1));
      if (!wish) {
        writer.error(protocol::errors::kSyntax);
        break;
      }
      const Result<std::string> plan = plan_json(state_.ring(), args.size() == 1 ? nullptr : &*wish);
      if (plan.ok()) writer.bulk(*plan);
      if (!plan.ok()) writer.error(concat("ERR ", plan.status().message()));
      break;
    }
    case CommandId::ring_rules:
      return run_rules(request);
    case CommandId::ring_shutdown:
      log_.info("an orderly stop of the whole cluster was asked for");
      return propose_wish(request, encode_entry(ShutdownEntry{}));
    default: {
      std::optional<ReshardEntry> wish = parse_wish(args);
      if (!wish) {
        writer.error(protocol::errors::kSyntax);
        break;
      }
      wish->sender = request.sender;
      wish->number = request.number;
      wish->answered_below = request.answered_below;
      std::string text = "RING";
      for (const std::string_view arg : args) append_text(text, " ", arg);
      log_.info(concat("an operator asks: ", text));
      return propose_wish(request, encode_entry(*wish));
    }
  }
  answer(request.origin, protocol::ReplyStatus::done, body);
}

void Coordinator::propose_wish(const LockRequest& request, std::string entry) {
  const auto index = propose_entry(std::move(entry));
  if (!index) return answer(request.origin, protocol::ReplyStatus::bounced, {});
  wishes_.emplace(*index, LockRequest(request.origin, *request.spec, {}));
}

StatusFacts Coordinator::status_facts() const {
  StatusFacts facts;
  facts.leader = self_.id;
  facts.term = replica_->term();
  const auto age_ms = [&](Micros at) { return at < 0 ? -1 : (now_.mono - at) / kMicrosPerMilli; };
  for (const ListedCoordinator& listed : state_.ring().coordinators().coordinators) {
    facts.coordinators.push_back(status_of(listed));
  }
  for (const Member& member : state_.ring().members()) {
    facts.lease_ms.push_back(std::max<Micros>(0, leases_.ends(member.listed.id) - now_.mono) / kMicrosPerMilli);
  }
  for (const auto& [conn, peer] : peers_) {
    if (peer.who.role != session::PeerRole::router || !peer.wants_tables) continue;
    facts.routers.push_back({peer.who.id, peer.host, peer.port, peer.has, age_ms(peer.heard_at)});
  }
  std::sort(facts.routers.begin(), facts.routers.end(),
            [](const RouterStatus& a, const RouterStatus& b) { return a.name < b.name; });
  facts.lock_count = state_.locks().count();
  facts.lock_token = state_.locks().last_token();
  facts.moves = mover_.progress();
  facts.change_ms = state_.ring().change().text.empty() ? 0 : age_ms(change_seen_at_);
  return facts;
}

}  // namespace chainring::coordinator
