// KEYS of a client at the node, a slice of the slots in each turn: all of them at once could cost the node its lease
// (R13). The client is held meanwhile.
//
// Thread-safety: none; one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "protocol/messages.h"
#include "session/clients.h"

namespace chainring::node {

class KeysWalk {
 public:
  KeysWalk(const session::Ticket& ticket, std::string_view pattern, uint8_t db, std::vector<protocol::SlotRange> slots,
           Micros deadline)
      : ticket_(ticket), pattern_(pattern), db_(db), left_(std::move(slots)), deadline_(deadline) {}

  [[nodiscard]] const session::Ticket& ticket() const { return ticket_; }
  [[nodiscard]] const std::string& pattern() const { return pattern_; }
  [[nodiscard]] uint8_t db() const { return db_; }
  // Not looked at yet, ascending.
  [[nodiscard]] const std::vector<protocol::SlotRange>& left() const { return left_; }
  // Until when it may wait for a lease.
  [[nodiscard]] Micros deadline() const { return deadline_; }
  // Takes over what KEYS was answered for the slots up to `last`. REQUIRES: an array or an error.
  void add(std::string_view found, Slot last);
  // Nothing more is to be found, or worth it: an error, or more than a reply may have.
  [[nodiscard]] bool ended() const { return left_.empty() || !error_.empty(); }
  // Everything that was found, as one array, or the error.
  [[nodiscard]] std::string reply() const;

 private:
  session::Ticket ticket_;
  std::string pattern_;
  uint8_t db_;
  std::vector<protocol::SlotRange> left_;
  Micros deadline_;
  uint64_t count_ = 0;
  std::string keys_;
  std::string error_;  // RESP
};

}  // namespace chainring::node
