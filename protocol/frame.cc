#include "protocol/frame.h"

namespace chainring::protocol {

FrameState parse_frame(std::string_view input, Frame& frame) {
  if (input.size() < kFrameHeaderBytes) return FrameState::need_more;
  ByteReader header(input.substr(0, kFrameHeaderBytes));
  uint32_t payload = 0;
  uint16_t padding = 0;
  header(payload, frame.type, padding);
  if (payload > kFramePayloadMax || padding != 0) return FrameState::error;
  frame.size = kFrameHeaderBytes + payload;
  if (input.size() < frame.size) return FrameState::need_more;
  frame.payload = input.substr(kFrameHeaderBytes, payload);
  return FrameState::ready;
}

}  // namespace chainring::protocol
