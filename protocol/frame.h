// Frames: what peers (nodes, routers, coordinators) say to each other after the PEER handshake.
// docs/wire.md specifies every byte; protocol/messages.h has the payloads.
//
// Thread-safety: none needed; functions over the caller's buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "protocol/resp.h"

namespace chainring::protocol {

inline constexpr uint32_t kWireVersion = 6;  // both ends must have the same one

// Pinned: numbers on the wire never change their meaning.
enum class FrameType : uint16_t {
  raft = 1,            // coordinator <-> coordinator: raft/message.h
  probe = 2,           // coordinator <-> coordinator, when a link begins: Probe
  not_leader = 3,      // coordinator -> node, router: NotLeader
  ping = 4,            // node, router -> node, by whoever dialled: Ping
  pong = 5,            // the other way: Ping
  heartbeat = 10,      // node -> coordinator: Heartbeat
  grant = 11,          // coordinator -> node: Grant
  table = 12,          // coordinator -> node, router: TableMessage
  stopped = 13,        // node -> coordinator: Stopped
  level = 14,          // coordinator -> node: Level
  subscribe = 15,      // router -> coordinator: Subscribe
  learned = 16,        // node -> coordinator: Learned
  rules_checked = 17,  // node -> coordinator: RulesChecked
  request = 20,        // router or node -> node or coordinator: Request
  reply = 21,          // the other way: Reply
  slots_request = 22,  // router -> node: SlotsRequest
  slots_reply = 23,    // the other way: SlotsReply
  records = 30,        // member -> successor: Records
  ack = 31,            // successor -> predecessor: Ack
  gap = 32,            // successor -> predecessor: Gap
  copy_part = 33,      // tail -> learner: CopyPart, then effects
  copy_end = 34,       // tail -> learner: CopyEnd
  learn = 35,          // learner -> tail: Learn
};

// Header: payload length u32, type u16, zero u16; little-endian.
inline constexpr size_t kFrameHeaderBytes = 8;
// The longest request fits with its header, and so does the record of what it did with all that settles retries.
// Whoever fills frames by what clients say bounds that: replies by kReplyBytesMax, records in node/chain.h.
inline constexpr size_t kFramePayloadMax = size_t{kRequestBytesMax} + (size_t{64} << 20);

struct Frame {
  FrameType type{};
  std::string_view payload;  // into the input
  size_t size = 0;           // header and payload
};

enum class FrameState { need_more, ready, error };
// Looks for one frame at the front of `input`. `error` (too long, or non-zero padding) means that the stream
// cannot be trusted any more: close it.
[[nodiscard]] FrameState parse_frame(std::string_view input, Frame& frame);

// Takes a message off the front of a payload; `tail` is what stands behind it. False: malformed.
template <class Message>
[[nodiscard]] bool split_payload(std::string_view payload, Message& message, std::string_view& tail) {
  ByteReader reader(payload);
  reader(message);
  tail = reader.rest();
  return !reader.failed();
}

// Appends a frame around what `write` appends, without a second copy.
template <class Write>
void append_frame(std::string& out, FrameType type, Write&& write) {
  const size_t start = out.size();
  ByteWriter header(out);
  header(uint32_t{0}, static_cast<uint16_t>(type), uint16_t{0});
  write(out);
  const size_t payload = out.size() - start - kFrameHeaderBytes;
  CHECK(payload <= kFramePayloadMax, "frames are built within their limit");
  for (size_t i = 0; i < 4; ++i) out[start + i] = static_cast<char>((payload >> (8 * i)) & 0xff);
}
template <class Message>
void append_frame(std::string& out, FrameType type, const Message& message, std::string_view tail) {
  append_frame(out, type, [&](std::string& body) {
    ByteWriter writer(body);
    writer(message);
    writer.raw(tail);
  });
}

}  // namespace chainring::protocol
