#include <string>
#include <vector>

#include "protocol/frame.h"
#include "protocol/messages.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

std::string frame_of(FrameType type, std::string_view payload) {
  std::string out;
  append_frame(out, type, [&](std::string& body) { body.append(payload); });
  return out;
}

}  // namespace

TEST_CASE("append_frame: length, type, padding, payload") {
  CHECK(frame_of(FrameType::ack, "abc") == std::string("\3\0\0\0\37\0\0\0abc", 11));
  std::string out = "before";
  append_frame(out, FrameType::gap, Gap{}, "tail");
  Frame frame;
  REQUIRE(parse_frame(std::string_view(out).substr(6), frame) == FrameState::ready);
  CHECK(frame.type == FrameType::gap);
  CHECK(frame.payload == encode(Gap{}) + "tail");
}

TEST_CASE("parse_frame: takes one frame and needs all of it") {
  const std::string bytes = frame_of(FrameType::request, "payload");
  Frame frame;
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK(parse_frame(std::string_view(bytes).substr(0, size), frame) == FrameState::need_more);
  }
  const std::string more = bytes + "next";
  REQUIRE(parse_frame(more, frame) == FrameState::ready);
  CHECK(frame.type == FrameType::request);
  CHECK(frame.payload == "payload");
  CHECK(frame.size == bytes.size());
}

TEST_CASE("parse_frame: a frame that is too long or has bits in its padding ends the stream") {
  Frame frame;
  // A request of 1 GiB and 64 MiB beside it, the most.
  CHECK(parse_frame(std::string("\0\0\0\104\24\0\0\0", 8), frame) == FrameState::need_more);
  CHECK(parse_frame(std::string("\1\0\0\104\24\0\0\0", 8), frame) == FrameState::error);
  CHECK(parse_frame(std::string("\377\377\377\377\24\0\0\0", 8), frame) == FrameState::error);
  CHECK(parse_frame(std::string("\1\0\0\0\24\0\1\0", 8), frame) == FrameState::error);
  CHECK(parse_frame(std::string("\1\0\0\0\24\0\0\200x", 9), frame) == FrameState::error);
}

TEST_CASE("parse_frame: unknown types pass, the receiver judges them") {
  Frame frame;
  REQUIRE(parse_frame(std::string("\0\0\0\0\377\377\0\0", 8), frame) == FrameState::ready);
  CHECK(static_cast<uint16_t>(frame.type) == 0xffff);
}

TEST_CASE("parse_frame: frames in a row come back one by one") {
  rc::prop("frames", [](const std::vector<std::string>& payloads) {
    std::string bytes;
    for (const std::string& payload : payloads) bytes += frame_of(FrameType::reply, payload);
    std::string_view rest = bytes;
    for (const std::string& payload : payloads) {
      Frame frame;
      RC_ASSERT(parse_frame(rest, frame) == FrameState::ready);
      RC_ASSERT(frame.payload == payload);
      rest.remove_prefix(frame.size);
    }
    RC_ASSERT(rest.empty());
  });
}

}  // namespace chainring::protocol
