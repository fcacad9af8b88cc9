#include "node/keys_walk.h"

#include <optional>

#include "base/check.h"
#include "protocol/reply.h"

namespace chainring::node {

void KeysWalk::add(std::string_view found, Slot last) {
  if (found.starts_with('-')) {
    error_ = found;
    return;
  }
  if (keys_.size() + found.size() > protocol::kReplyBytesMax) {
    error_ = protocol::error_reply(protocol::errors::kReplyTooLong);
    return;
  }
  const std::optional<int64_t> count = protocol::take_number('*', found);
  CHECK(count && *count >= 0, "KEYS answers with an array");
  count_ += static_cast<uint64_t>(*count);
  keys_.append(found);
  std::erase_if(left_, [last](const protocol::SlotRange& range) { return range.last <= last; });
  if (!left_.empty() && left_.front().first <= last) left_.front().first = static_cast<Slot>(last + 1);
}

std::string KeysWalk::reply() const {
  if (!error_.empty()) return error_;
  std::string out;
  protocol::ReplyWriter writer(out, protocol::RespVersion::resp2);  // what it writes is the same in both
  writer.array(count_);
  writer.raw(keys_);
  return out;
}

}  // namespace chainring::node
