#include "router/merge.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace chainring::router {
namespace {

constexpr std::string_view kSenseless = "-ERR a node's reply does not fit the command\r\n";

std::string too_long() { return protocol::error_reply(protocol::errors::kReplyTooLong); }

bool is_error(std::string_view reply) { return reply.starts_with('-') || reply.starts_with('!'); }

bool is_null(std::string_view reply) { return reply == "_\r\n" || reply == "$-1\r\n"; }

}  // namespace

SplitMerge::SplitMerge(Kind kind, bool write, std::vector<std::vector<uint32_t>> keys_of_leg, size_t reply_bytes_max)
    : kind_(kind),
      write_(write),
      keys_of_leg_(std::move(keys_of_leg)),
      reply_bytes_max_(reply_bytes_max),
      replies_(keys_of_leg_.size()),
      missing_(keys_of_leg_.size()) {}

void SplitMerge::fail(std::string_view error) {
  if (error_.empty()) error_ = error;
}

void SplitMerge::keep(uint32_t leg, std::string_view values) {
  if (!error_.empty()) return;
  reply_bytes_ += values.size();
  if (reply_bytes_ <= reply_bytes_max_) {
    replies_[leg] = values;
    return;
  }
  replies_.clear();
  fail(too_long());
}

void SplitMerge::add(uint32_t leg, Ending ending, std::string_view reply) {
  CHECK(missing_ > 0, "each leg ends once");
  --missing_;
  given_up_ = given_up_ || ending == Ending::not_run;
  unknown_ = unknown_ || ending == Ending::unknown;
  if (ending != Ending::replied || is_error(reply)) return fail(reply);
  executed_ = true;
  if (kind_ == Kind::values) {
    keep(leg, reply);
  } else if (kind_ == Kind::sum) {
    const std::optional<int64_t> count = protocol::take_number(':', reply);
    if (!count) return fail(kSenseless);
    sum_ += *count;
  }
}

bool SplitMerge::place_values(std::vector<std::string_view>& values) const {
  for (size_t leg = 0; leg < replies_.size(); ++leg) {
    std::string_view reply = replies_[leg];
    const std::optional<int64_t> count = protocol::take_number('*', reply);
    if (!count || *count != static_cast<int64_t>(keys_of_leg_[leg].size())) return false;
    for (const uint32_t key : keys_of_leg_[leg]) {
      const protocol::ReplyExtent extent = protocol::measure_reply(reply);
      if (extent.state != protocol::ReplyExtent::State::ready) return false;
      values[key] = reply.substr(0, extent.size);
      reply.remove_prefix(extent.size);
    }
  }
  return true;
}

std::string SplitMerge::take() {
  CHECK(complete(), "all legs have ended");
  std::string out;
  protocol::ReplyWriter writer(out, protocol::RespVersion::resp2);  // what it writes is the same in both
  if (!error_.empty()) {
    if (!write_ || !(unknown_ || (given_up_ && executed_))) return std::move(error_);
    writer.error(protocol::errors::kOutcomeUnknown);
    return out;
  }
  if (kind_ == Kind::ok) writer.ok();
  if (kind_ == Kind::sum) writer.integer(sum_);
  if (kind_ != Kind::values) return out;
  size_t key_count = 0;
  for (const std::vector<uint32_t>& keys : keys_of_leg_) key_count += keys.size();
  std::vector<std::string_view> values(key_count);
  if (!place_values(values)) return std::string(kSenseless);
  writer.array(key_count);
  for (const std::string_view value : values) writer.raw(value);
  return out;
}

bool WideMerge::fail(std::string_view error) {
  body_ = error;
  failed_ = true;
  return false;
}

bool WideMerge::add(std::string_view reply, uint32_t slots, Random& random) {
  if (reply.empty()) return fail(kSenseless);
  if (is_error(reply)) return fail(reply);
  switch (kind_) {
    case Kind::choice:
      if (is_null(reply)) return true;
      weight_ += slots;
      if (random.below(weight_) < slots) body_ = reply;
      return true;
    case Kind::sum:
    case Kind::concat:
      break;
  }
  const std::optional<int64_t> count = protocol::take_number(kind_ == Kind::sum ? ':' : '*', reply);
  if (!count || *count < 0) return fail(kSenseless);
  if (body_.size() + reply.size() > reply_bytes_max_) return fail(too_long());
  sum_ += static_cast<uint64_t>(*count);
  body_.append(reply);  // nothing, for integers
  return true;
}

std::string WideMerge::take() {
  if (failed_) return std::move(body_);
  std::string out;
  protocol::ReplyWriter writer(out, version_);
  switch (kind_) {
    case Kind::sum:
      writer.integer(static_cast<int64_t>(sum_));
      break;
    case Kind::choice:
      if (body_.empty()) writer.null();
      writer.raw(body_);
      break;
    case Kind::concat:
      writer.array(sum_);
      writer.raw(body_);
      break;
  }
  return out;
}

void NodeFigures::add(std::string_view section, std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;  // a heading or an empty line
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 1);
    if (section == "keyspace") {
      add_database(name, value);
    } else if (const std::optional<int64_t> number = parse_int(value)) {
      auto& fields = sections_[std::string(section)];
      fields[std::string(name)] += *number;
    }
  }
}

void NodeFigures::add_database(std::string_view name, std::string_view fields) {
  if (!name.starts_with("db")) return;
  const std::optional<uint64_t> index = parse_uint(name.substr(2));
  if (!index || *index > UINT8_MAX) return;
  Keyspace found;
  int64_t average = 0;
  while (!fields.empty()) {
    const size_t end = std::min(fields.find(','), fields.size());
    const std::string_view field = fields.substr(0, end);
    fields.remove_prefix(std::min(end + 1, fields.size()));
    const size_t equals = field.find('=');
    if (equals == std::string_view::npos) continue;
    const int64_t value = parse_int(field.substr(equals + 1)).value_or(0);
    const std::string_view key = field.substr(0, equals);
    if (key == "keys") found.keys = value;
    if (key == "expires") found.expires = value;
    if (key == "avg_ttl") average = value;
  }
  Keyspace& sum = keyspace_[static_cast<uint32_t>(*index)];
  sum.keys += found.keys;
  sum.expires += found.expires;
  sum.ttl_sum += average * found.expires;
}

const std::map<std::string, int64_t, std::less<>>* NodeFigures::section(std::string_view name) const {
  const auto found = sections_.find(name);
  return found == sections_.end() ? nullptr : &found->second;
}

std::optional<std::string> text_of_reply(std::string_view reply) {
  protocol::ReplyValue value;
  if (protocol::parse_reply(reply, value).state != protocol::ReplyExtent::State::ready) return std::nullopt;
  if (value.kind != protocol::ReplyValue::Kind::bulk) return std::nullopt;
  return std::move(value.text);
}

}  // namespace chainring::router
