#include "router/scan.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <utility>

#include "base/text.h"
#include "engine/cursor.h"
#include "protocol/resp.h"

namespace chainring::router {
namespace {

using engine::Cursor;

constexpr uint64_t kLocksBegin = uint64_t{engine::kCursorSlotBeyond} << engine::Table::kPositionBits;
constexpr std::string_view kSenseless = "ERR a node's reply to SCAN makes no sense";

uint64_t begin_of(uint32_t slot) { return Cursor{static_cast<Slot>(slot), 0}.pack(); }

// The first slot that was asked for and not answered for.
std::optional<Slot> first_unanswered(const std::vector<protocol::SlotRange>& asked,
                                     const std::vector<protocol::SlotRange>& answered) {
  std::bitset<kSlotCount> seen;
  for (const protocol::SlotRange& range : answered) {
    for (uint32_t slot = range.first; slot <= std::min<uint32_t>(range.last, kSlotCount - 1); ++slot) seen.set(slot);
  }
  for (const protocol::SlotRange& range : asked) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) {
      if (!seen[slot]) return static_cast<Slot>(slot);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<ScanRequest> parse_scan(std::span<const std::string_view> args) {
  const std::optional<uint64_t> cursor = parse_uint(args[1]);
  if (!cursor) return std::nullopt;
  ScanRequest scan;
  scan.cursor = *cursor;
  for (size_t i = 2; i < args.size(); i += 2) {
    const bool is_count = equals_ignoring_case(args[i], "count");
    const bool known = is_count || equals_ignoring_case(args[i], "match") || equals_ignoring_case(args[i], "type");
    if (!known || i + 1 == args.size()) scan.well_formed = false;
    if (!is_count || !scan.well_formed) continue;
    const std::optional<int64_t> count = parse_int(args[i + 1]);
    if (!count || *count < 1) {
      scan.well_formed = false;
    } else {
      scan.count = static_cast<uint64_t>(*count);
      scan.count_at = i + 1;
    }
  }
  return scan;
}

Scan::Scan(Services& services, const session::ClientRequest& request, Micros deadline)
    : Operation(services, request, deadline),
      args_(request.args.begin(), request.args.end()),
      scan_(parse_scan(request.args)) {}

void Scan::start(Micros now) {
  if (!scan_) return answer_error("ERR invalid cursor");
  cursor_ = scan_->cursor;
  go_on(now);
}

void Scan::go_on(Micros now) {
  if (cursor_ >= kLocksBegin) return submit_leg(0, kLockPlace, Leg::read, command(), now);
  ask_heads(now);
}

// Calls whoever serves the slots from the cursor on, up to the first that nobody serves: only the head of the first
// run, or all of them.
void Scan::ask_heads(Micros now) {
  std::map<Lane*, std::vector<protocol::SlotRange>> slots_of;
  const uint32_t first = Cursor::unpack(cursor_).slot;
  uint32_t slot = first;
  Lane* before = nullptr;
  for (; slot < kSlotCount; ++slot) {
    Lane* const lane = services_.links.lane(static_cast<Place>(slot));
    if (lane == nullptr || !lane->open() || (!wide_ && slot > first && lane != before)) break;
    std::vector<protocol::SlotRange>& slots = slots_of[lane];
    if (lane == before) {
      slots.back().last = static_cast<Slot>(slot);
    } else {
      slots.push_back({static_cast<Slot>(slot), static_cast<Slot>(slot)});
    }
    before = lane;
  }
  if (slots_of.empty()) return unserved(now);
  retry_.stop();
  limit_ = begin_of(slot);
  worked_ = false;
  round_.clear();
  missing_ = slots_of.size();
  for (auto& [lane, slots] : slots_of) send_call(*lane, 0, std::move(slots), command());
}

// The slot at the cursor has no head at the moment: the client gets what there is, or waits for one.
void Scan::unserved(Micros now) {
  if (moved_) return answer_with_found();
  retry_.schedule(now);
}

// The client's own command with the present cursor, and with what is left of its COUNT.
std::string Scan::command() const {
  std::vector<std::string_view> args(args_.begin(), args_.end());
  const std::string cursor = concat(cursor_);
  const std::string left = concat(scan_->count - std::min(count_, scan_->count - 1));
  args[1] = cursor;
  if (scan_->well_formed) {
    if (scan_->count_at == 0) {
      args.push_back("COUNT");
      args.push_back(left);
    } else {
      args[scan_->count_at] = left;
    }
  }
  return request_bytes(args);
}

std::optional<Scan::Found> Scan::parse_found(std::string_view reply) {
  // "*2\r\n$<n>\r\n<cursor>\r\n*<count>\r\n<elements>"
  Found found;
  const auto line = [&reply](char type) -> std::optional<std::string_view> {
    const size_t end = reply.find("\r\n");
    if (end == std::string_view::npos || reply.front() != type) return std::nullopt;
    const std::string_view text = reply.substr(1, end - 1);
    reply.remove_prefix(end + 2);
    return text;
  };
  if (line('*') != "2" || !line('$')) return std::nullopt;
  const size_t end = std::min(reply.find("\r\n"), reply.size());
  const std::optional<uint64_t> cursor = parse_uint(reply.substr(0, end));
  reply.remove_prefix(std::min(end + 2, reply.size()));
  const std::optional<std::string_view> count = line('*');
  const std::optional<uint64_t> elements = count ? parse_uint(*count) : std::nullopt;
  if (!cursor || !elements) return std::nullopt;
  return Found{*cursor, *elements, reply};
}

void Scan::call_answered(SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body, Micros now) {
  if (!reply.answered.empty() && !take(call, reply, body)) return;
  if (reply.answered.empty()) limit_ = std::min(limit_, begin_of(call.slots.front().first));
  end_call(now);
}

// False when the reply was an error, which has been passed on.
bool Scan::take(const SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body) {
  const std::optional<Found> found = parse_found(body);
  if (body.starts_with('-')) {
    answer(body);
    return false;
  }
  if (!found || (found->cursor != 0 && found->cursor <= cursor_)) {  // the walk must not stand still
    answer_error(kSenseless);
    return false;
  }
  // The head walks on behind a slot that it does not serve; that slot has not been seen.
  if (const std::optional<Slot> gap = first_unanswered(call.slots, reply.answered)) {
    limit_ = std::min(limit_, begin_of(*gap));
  }
  if (found->cursor != 0 && found->cursor < begin_of(uint32_t{call.slots.back().last} + 1)) {
    worked_ = true;
    limit_ = std::min(limit_, found->cursor);
  }
  round_.append(found->elements);
  return true;
}

void Scan::call_lost(SlotsCall& call, Micros now) {
  limit_ = std::min(limit_, begin_of(call.slots.front().first));
  end_call(now);
}

void Scan::end_call(Micros now) {
  if (--missing_ == 0) end_round(now);
}

void Scan::end_round(Micros now) {
  if (limit_ <= cursor_) return unserved(now);
  if (!keep_reached(round_)) return answer_error(kSenseless);
  const bool gap = wide_ && !worked_ && limit_ < kLocksBegin;
  cursor_ = limit_;
  moved_ = true;
  wide_ = true;
  if (worked_ || gap || count_ >= scan_->count) return answer_with_found();
  go_on(now);
}

// Keeps the elements of slots that all heads have walked. The one at which the limit is, if any of it was walked, has
// one head, and what that did not reach it did not return. False when they are not bulk strings.
bool Scan::keep_reached(std::string_view elements) {
  const Cursor limit = Cursor::unpack(limit_);
  while (!elements.empty()) {
    const protocol::ReplyExtent extent = protocol::measure_reply(elements);
    const size_t text = elements.find("\r\n") + 2;
    if (extent.state != protocol::ReplyExtent::State::ready || elements.front() != '$' || extent.size < text + 2) {
      return false;
    }
    const Slot slot = services_.table.placement().slot_of(elements.substr(text, extent.size - text - 2));
    if (slot < limit.slot || (slot == limit.slot && limit.position > 0)) {
      elements_.append(elements.substr(0, extent.size));
      ++count_;
    }
    elements.remove_prefix(extent.size);
  }
  return true;
}

void Scan::leg_ended(uint32_t, Ending ending, std::string_view reply, Micros) {
  if (ending != Ending::replied && moved_) return answer_with_found();
  if (ending != Ending::replied || reply.starts_with('-')) return answer(reply);
  const std::optional<Found> found = parse_found(reply);
  if (!found || (found->cursor != 0 && found->cursor <= cursor_)) return answer_error(kSenseless);
  elements_.append(found->elements);
  count_ += found->count;
  cursor_ = found->cursor;
  answer_with_found();
}

void Scan::try_again(Micros now) {
  if (retry_.due() != kNever) return go_on(now);
  // A call of which some slots are another's now may not be answered at all.
  std::vector<SlotsCall*> moved;
  for (SlotsCall& call : calls()) {
    if (call.lane != nullptr && !still_there(call)) moved.push_back(&call);
  }
  for (SlotsCall* const call : moved) {
    call->lane->forget(*call);
    call_lost(*call, now);
  }
}

bool Scan::still_there(const SlotsCall& call) const {
  for (const protocol::SlotRange& range : call.slots) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) {
      if (services_.links.lane(static_cast<Place>(slot)) != call.lane) return false;
    }
  }
  return true;
}

void Scan::time_passed(Micros now) {
  if (now >= deadline_) return moved_ ? answer_with_found() : answer_error(protocol::errors::kClusterDown);
  go_on(now);
}

Micros Scan::next_attempt() const { return std::min(deadline_, retry_.due()); }

void Scan::answer_with_found() {
  std::string reply;
  protocol::ReplyWriter writer(reply, resp_);
  writer.array(2);
  writer.bulk(concat(cursor_));
  writer.array(count_);
  writer.raw(elements_);
  answer(reply);
}

}  // namespace chainring::router
