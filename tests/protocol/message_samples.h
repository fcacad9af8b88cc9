// A message of each kind that travels in a frame.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/transaction.h"
#include "tests/protocol/archives.h"

namespace chainring::protocol::testing {

// Calls visit(name, frame type, message) for a message of each kind. Raft's own is tested with raft.
template <class Visit>
void for_each_message(Visit visit) {
  visit("Probe", FrameType::probe, Probe{});
  visit("NotLeader", FrameType::not_leader, NotLeader{});
  visit("Ping", FrameType::ping, Ping{});
  visit("Heartbeat", FrameType::heartbeat, Heartbeat{});
  visit("Grant", FrameType::grant, Grant{});
  visit("TableMessage", FrameType::table, TableMessage{});
  visit("Stopped", FrameType::stopped, Stopped{});
  visit("Learned", FrameType::learned, Learned{});
  visit("RulesChecked", FrameType::rules_checked, RulesChecked{});
  visit("Level", FrameType::level, Level{});
  visit("Subscribe", FrameType::subscribe, Subscribe{});
  visit("Request", FrameType::request, Request{});
  visit("Reply", FrameType::reply, Reply{});
  visit("SlotsRequest", FrameType::slots_request, SlotsRequest{});
  visit("SlotsReply", FrameType::slots_reply, SlotsReply{});
  visit("Records", FrameType::records, Records{});
  visit("Ack", FrameType::ack, Ack{});
  visit("Gap", FrameType::gap, Gap{});
  visit("CopyPart", FrameType::copy_part, CopyPart{});
  visit("CopyEnd", FrameType::copy_end, CopyEnd{});
  visit("Learn", FrameType::learn, Learn{});
}

inline std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return out;
}

// The lines of testdata/frames.txt: the wire version, and a frame of each kind whose fields are numbered.
inline std::vector<std::string> golden_frames() {
  std::vector<std::string> lines = {concat("kWireVersion ", kWireVersion)};
  for_each_message([&](const char* name, FrameType type, auto message) {
    Numbering numbers;
    message.fields(numbers);
    std::string frame;
    append_frame(frame, type, message, "");
    lines.push_back(concat(name, " ", hex(frame)));
  });
  return lines;
}

}  // namespace chainring::protocol::testing
