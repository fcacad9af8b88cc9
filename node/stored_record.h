// A record as members keep it until they need it no more.
//
// Thread-safety: a plain value.
#pragma once

#include <cstddef>
#include <string>

#include "protocol/messages.h"

namespace chainring::node {

struct StoredRecord {
  protocol::RecordHead head;
  std::string body;  // key hashes, reply, effects as on the wire
  [[nodiscard]] size_t bytes() const { return body.size() + sizeof(StoredRecord); }
};

}  // namespace chainring::node
