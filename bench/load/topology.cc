#include "bench/load/topology.h"

#include <algorithm>

#include "base/text.h"

namespace chainring::load {

namespace {

using protocol::ReplyValue;

// One entry: first slot, last slot, [host, port, ...] of the owner, those of replicas.
bool is_range(const ReplyValue& entry) {
  if (entry.kind != ReplyValue::Kind::array || entry.items.size() < 3) return false;
  const int64_t first = entry.items[0].integer, last = entry.items[1].integer;
  const ReplyValue& owner = entry.items[2];
  return first >= 0 && first <= last && last < kSlotCount && owner.items.size() >= 2 && owner.items[1].integer > 0 &&
         owner.items[1].integer <= UINT16_MAX;
}

}  // namespace

Topology::Topology(const std::vector<Address>& seeds) {
  owners_.fill(kNoServer);
  for (const Address& seed : seeds) (void)find(seed);
}

Server Topology::find(const Address& address) {
  const auto at = std::find(servers_.begin(), servers_.end(), address);
  if (at != servers_.end()) return static_cast<Server>(at - servers_.begin());
  if (servers_.size() >= kServersMax) return kNoServer;
  servers_.push_back(address);
  return static_cast<Server>(servers_.size() - 1);
}

bool Topology::learn(Server from, const ReplyValue& slots) {
  if (slots.kind != ReplyValue::Kind::array) return false;
  if (!std::all_of(slots.items.begin(), slots.items.end(), is_range)) return false;
  for (const ReplyValue& entry : slots.items) {
    const ReplyValue& owner = entry.items[2];
    const std::string& host = owner.items[0].text.empty() ? servers_[from].host : owner.items[0].text;
    const Server server = find({host, static_cast<uint16_t>(owner.items[1].integer)});
    for (int64_t slot = entry.items[0].integer; slot <= entry.items[1].integer; ++slot) {
      owners_[static_cast<size_t>(slot)] = server;
    }
  }
  return true;
}

std::optional<Redirection> parse_redirection(std::string_view error) {
  const size_t code_end = error.find(' ');
  const std::string_view code = error.substr(0, code_end);
  if (code_end == std::string_view::npos || (code != "MOVED" && code != "ASK")) return std::nullopt;
  const std::string_view rest = error.substr(code_end + 1);
  const size_t slot_end = rest.find(' ');
  const size_t colon = rest.rfind(':');
  if (slot_end == std::string_view::npos || colon == std::string_view::npos || colon < slot_end) return std::nullopt;
  const std::optional<uint64_t> slot = parse_uint(rest.substr(0, slot_end));
  const std::optional<uint64_t> port = parse_uint(rest.substr(colon + 1));
  if (!slot || *slot >= kSlotCount || !port || *port == 0 || *port > UINT16_MAX) return std::nullopt;
  return Redirection{code == "ASK",
                     static_cast<Slot>(*slot),
                     {std::string(rest.substr(slot_end + 1, colon - slot_end - 1)), static_cast<uint16_t>(*port)}};
}

}  // namespace chainring::load
