#include "router/node_info.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace chainring::router {
namespace {

// The sections that nodes have figures for; a call's tag is the index.
constexpr std::array<std::string_view, 3> kNodeSections = {"keyspace", "memory", "stats"};
constexpr std::array<std::string_view, 3> kAllSections = {"default", "all", "everything"};

}  // namespace

NodeInfo::NodeInfo(Services& services, const session::ClientRequest& request, Micros deadline, Render render)
    : Operation(services, request, deadline),
      sections_(request.args.begin() + 1, request.args.end()),
      render_(std::move(render)) {}

bool NodeInfo::wants(std::string_view section) const {
  if (sections_.empty()) return true;
  return std::any_of(sections_.begin(), sections_.end(), [section](const std::string& asked) {
    if (equals_ignoring_case(asked, section)) return true;
    return std::any_of(kAllSections.begin(), kAllSections.end(),
                       [&asked](std::string_view all) { return equals_ignoring_case(asked, all); });
  });
}

void NodeInfo::start(Micros now) {
  give_up_at_ = std::min(deadline_, now + kInfoWaitMax);
  for (Lane* const lane : services_.links.open_node_lanes()) {
    for (uint32_t tag = 0; tag < kNodeSections.size(); ++tag) {
      if (!wants(kNodeSections[tag])) continue;
      const std::array<std::string_view, 2> args = {"INFO", kNodeSections[tag]};
      send_call(*lane, tag, services_.table.headed_by(lane->member()), request_bytes(args));
      ++missing_;
    }
  }
  finish_if_complete();
}

void NodeInfo::call_answered(SlotsCall& call, const protocol::SlotsReply&, std::string_view body, Micros) {
  if (const std::optional<std::string> text = text_of_reply(body)) figures_.add(kNodeSections[call.tag], *text);
  --missing_;
  finish_if_complete();
}

void NodeInfo::call_lost(SlotsCall&, Micros) {
  --missing_;
  finish_if_complete();
}

void NodeInfo::time_passed(Micros now) {
  if (now >= give_up_at_) finish();
}

void NodeInfo::finish_if_complete() {
  if (missing_ == 0) finish();
}

void NodeInfo::finish() {
  const std::vector<std::string_view> sections(sections_.begin(), sections_.end());
  std::string reply;
  protocol::ReplyWriter(reply, resp_).verbatim(render_(figures_, sections));
  answer(reply);
}

}  // namespace chainring::router
