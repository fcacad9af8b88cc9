// RING: what operators ask and wish of the cluster.

#include <algorithm>

#include "base/text.h"
#include "coordinator/coordinator.h"
#include "coordinator/lost_slots.h"
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
    "LOST",
    "    The slots that nobody can serve, and who held them, as JSON.",
    "SERVE-EMPTY <first>-<last> [...] [GONE <node> [...]]",
    "    Serve slots whose every copy is lost again, empty, once. GONE declares that absent nodes never come back.",
    "TABLE",
    "    The table, as bytes for RING RECOVER. A node answers with the newest one that it has obeyed.",
    "RECOVER PLAN | FOUND | FOUND-ANYWAY <statement> [...]",
    "    At new, empty coordinators: found the next generation of a cluster that has lost its coordinators, from what "
    "nodes answered to RING TABLE; see chainring recover.",
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

// The entry with what settles a retry of the request (R20).
template <class E>
std::string numbered(E entry, const LockRequest& request) {
  entry.sender = request.sender;
  entry.number = request.number;
  entry.answered_below = request.answered_below;
  entry.sent = request.sent;
  return encode_entry(entry);
}

std::string joined(std::span<const std::string_view> args) {
  std::string text;
  for (const std::string_view arg : args) append_text(text, " ", arg);
  return text;
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
    case CommandId::ring_lost:
      writer.bulk(lost_json(state_.ring(), leases_, now_.mono));
      break;
    case CommandId::ring_serve_empty:
      return serve_empty(request, args.subspan(1));
    case CommandId::ring_rules:
      return run_rules(request);
    case CommandId::ring_shutdown:
      log_.info("an orderly stop of the whole cluster was asked for");
      propose_wish(request, encode_entry(ShutdownEntry{}));
      return;
    default: {
      std::optional<ReshardEntry> wish = parse_wish(args);
      if (!wish) {
        writer.error(protocol::errors::kSyntax);
        break;
      }
      log_.info(concat("an operator asks: RING", joined(args)));
      propose_wish(request, numbered(*std::move(wish), request));
      return;
    }
  }
  answer(request.origin, protocol::ReplyStatus::done, body);
}

// R18: the word is about those who hold no lease now, and they get none until it is recorded or void.
void Coordinator::serve_empty(const LockRequest& request, std::span<const std::string_view> args) {
  if (const auto before = state_.answered_before(request.sender, request.number, request.sent)) {
    const auto status = before->expired ? protocol::ReplyStatus::expired : protocol::ReplyStatus::done;
    return answer(request.origin, status, before->reply.resp);
  }
  Result<ServeEmptyEntry> planned = plan_serve_empty(state_.ring(), leases_, now_.mono, args);
  if (!planned.ok()) {
    const std::string why = protocol::error_reply(concat("ERR ", planned.status().message()));
    return answer(request.origin, protocol::ReplyStatus::done, why);
  }
  log_.warning(
      concat("an operator declares what slots held as lost; they begin again empty: RING SERVE-EMPTY", joined(args)));
  const std::vector<MemberId> gone = planned->gone;
  const auto index = propose_wish(request, numbered(*std::move(planned), request));
  if (index) give_up(gone, *index);
}

std::optional<raft::Index> Coordinator::propose_wish(const LockRequest& request, std::string entry) {
  const auto index = propose_entry(std::move(entry));
  if (index) {
    wishes_.emplace(*index, LockRequest(request.origin, *request.spec, {}));
  } else {
    answer(request.origin, protocol::ReplyStatus::bounced, {});
  }
  return index;
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
    facts.renewed.push_back(leases_.was_granted(member.listed.id));
  }
  for (const auto& [conn, peer] : peers_) {
    if (peer.who.role != session::PeerRole::router || !peer.tables.wanted()) continue;
    facts.routers.push_back({peer.who.id, peer.host, peer.port, peer.tables.has(), age_ms(peer.heard_at)});
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
