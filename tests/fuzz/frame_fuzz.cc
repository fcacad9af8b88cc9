#include "base/bytes.h"
#include "base/check.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "tests/fuzz/targets.h"

namespace chainring::fuzz {
namespace {

// Whatever decodes is decoded again from its own encoding. Messages with something behind them are decoded from the
// front, as their receivers do it.
template <class Message>
void check_message(std::string_view payload) {
  Message message{};
  ByteReader reader(payload);
  reader(message);
  if (reader.failed()) return;
  CHECK(reader.rest().size() <= payload.size(), "a message takes bytes that are there");
  const std::string bytes = encode(message);
  const auto back = decode<Message>(bytes);
  CHECK(back.has_value(), "our own messages are well-formed");
  CHECK(encode(*back) == bytes, "a message survives");
}

void check_payload(protocol::FrameType type, std::string_view payload) {
  using enum protocol::FrameType;
  switch (type) {
    case raft:
      break;  // tests/raft
    case ping:
    case pong:
      return check_message<protocol::Ping>(payload);
    case probe:
      return check_message<protocol::Probe>(payload);
    case not_leader:
      return check_message<protocol::NotLeader>(payload);
    case heartbeat:
      return check_message<protocol::Heartbeat>(payload);
    case grant:
      return check_message<protocol::Grant>(payload);
    case table:
      return check_message<protocol::TableMessage>(payload);
    case stopped:
      return check_message<protocol::Stopped>(payload);
    case learned:
      return check_message<protocol::Learned>(payload);
    case rules_checked:
      return check_message<protocol::RulesChecked>(payload);
    case level:
      return check_message<protocol::Level>(payload);
    case subscribe:
      return check_message<protocol::Subscribe>(payload);
    case request:
      return check_message<protocol::Request>(payload);
    case reply:
      return check_message<protocol::Reply>(payload);
    case slots_request:
      return check_message<protocol::SlotsRequest>(payload);
    case slots_reply:
      return check_message<protocol::SlotsReply>(payload);
    case records:
      return check_message<protocol::Records>(payload);
    case ack:
      return check_message<protocol::Ack>(payload);
    case gap:
      return check_message<protocol::Gap>(payload);
    case copy_part:
      return check_message<protocol::CopyPart>(payload);
    case copy_end:
      return check_message<protocol::CopyEnd>(payload);
    case learn:
      return check_message<protocol::Learn>(payload);
  }
}

}  // namespace

void fuzz_frame(std::string_view input) {
  while (true) {
    protocol::Frame frame;
    if (protocol::parse_frame(input, frame) != protocol::FrameState::ready) return;
    CHECK(frame.size == protocol::kFrameHeaderBytes + frame.payload.size(), "a frame is its header and its payload");
    CHECK(frame.size <= input.size(), "a frame takes bytes that are there");
    check_payload(frame.type, frame.payload);
    input.remove_prefix(frame.size);
  }
}

}  // namespace chainring::fuzz
