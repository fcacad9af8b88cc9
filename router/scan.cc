#include "router/scan.h"

#include <algorithm>

#include "base/text.h"
#include "engine/cursor.h"

namespace chainring::router {
namespace {

using engine::Cursor;

constexpr uint64_t kLocksBegin = uint64_t{engine::kCursorSlotBeyond} << engine::Table::kPositionBits;
constexpr std::string_view kSenseless = "ERR a node's reply to SCAN makes no sense";

// The last slot of the run that was answered without a gap from `slot` on; nothing when `slot` was not.
std::optional<Slot> answered_through(const std::vector<protocol::SlotRange>& answered, Slot slot) {
  std::optional<Slot> through;
  uint32_t next = slot;
  for (const protocol::SlotRange& range : answered) {  // ascending
    if (range.first > next || range.last < next) continue;
    through = range.last;
    next = uint32_t{range.last} + 1;
  }
  return through;
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
  if (cursor_ >= kLocksBegin) return submit_leg(0, kLockPlace, false, command(), now);
  const Slot first = Cursor::unpack(cursor_).slot;
  Lane* const lane = services_.links.lane(first);
  if (lane == nullptr || !lane->open()) return unserved(now);
  Slot last = first;
  while (last + 1u < kSlotCount && services_.links.lane(static_cast<Place>(last + 1)) == lane) ++last;
  retry_.reset();
  send_call(*lane, 0, {{first, last}}, false, command());
}

// The slot at the cursor has no head at the moment: the client gets what there is, or waits for one.
void Scan::unserved(Micros now) {
  if (hops_ > 0) return answer_with_found();
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

// Takes the elements and goes to `next`. False when the walk would stand still, which it must never do.
bool Scan::take(const Found& found, uint64_t next) {
  if (next <= cursor_) return false;
  elements_.append(found.elements);
  count_ += found.count;
  cursor_ = next;
  ++hops_;
  return true;
}

void Scan::call_answered(SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body, Micros now) {
  const std::optional<Slot> through = answered_through(reply.answered, call.slots.front().first);
  if (!through || *through > call.slots.front().last) return unserved(now);
  if (body.starts_with('-')) return answer(body);
  const std::optional<Found> found = parse_found(body);
  if (!found) return answer_error(kSenseless);
  // Behind a gap the head may have walked on; the slots in the gap have not been seen, so the walk goes on with them.
  const uint64_t end = Cursor{static_cast<Slot>(*through + 1), 0}.pack();
  const bool walked_all = found->cursor == 0 || found->cursor >= end;
  if (!take(*found, walked_all ? end : found->cursor)) return answer_error(kSenseless);
  const bool done = !walked_all || count_ >= scan_->count || hops_ >= kScanHopsMax;
  if (done) return answer_with_found();
  go_on(now);
}

void Scan::leg_ended(uint32_t, Ending ending, std::string_view reply, Micros) {
  if (ending != Ending::replied && hops_ > 0) return answer_with_found();
  if (ending != Ending::replied || reply.starts_with('-')) return answer(reply);
  const std::optional<Found> found = parse_found(reply);
  if (!found) return answer_error(kSenseless);
  if (found->cursor != 0) {
    if (!take(*found, found->cursor)) return answer_error(kSenseless);
  } else {
    elements_.append(found->elements);
    count_ += found->count;
    cursor_ = 0;
  }
  answer_with_found();
}

void Scan::call_lost(SlotsCall&, Micros now) { unserved(now); }

void Scan::try_again(Micros now) {
  for (SlotsCall& call : calls()) {
    if (call.lane == nullptr || services_.links.lane(call.slots.front().first) == call.lane) continue;
    call.lane->forget(call);
    return go_on(now);
  }
  if (retry_.due() != kNever) go_on(now);
}

void Scan::time_passed(Micros now) {
  if (now >= deadline_) return answer_error(protocol::errors::kClusterDown);  // nothing found yet, or it had been told
  if (now >= retry_.due()) go_on(now);
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
