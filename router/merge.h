// Several replies made into one: of split commands, of cluster-wide commands, and of INFO.
//
// Thread-safety: none; plain state of one operation.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "protocol/reply.h"
#include "router/outstanding.h"

namespace chainring::router {

// A command split by place: sum (DEL), values in the keys' order (MGET), or OK (MSET).
class SplitMerge {
 public:
  enum class Kind : uint8_t { sum, values, ok };

  // `keys_of_leg[i]`: which of the request's keys leg i carries, in the leg's order. Values of more than
  // `reply_bytes_max` are not kept: the whole reply is an error then.
  SplitMerge(Kind kind, bool write, std::vector<std::vector<uint32_t>> keys_of_leg,
             size_t reply_bytes_max = protocol::kReplyBytesMax);

  // REQUIRES: once for each leg.
  void add(uint32_t leg, Ending ending, std::string_view reply);
  [[nodiscard]] bool complete() const { return missing_ == 0; }
  // REQUIRES: complete(). The first error that came, if any: a leg that failed makes the whole reply that error. When a
  // leg of a write was given up and another one has been executed, or may have been, that says "outcome unknown", not
  // "not executed".
  [[nodiscard]] std::string take();

 private:
  void fail(std::string_view error);
  void keep(uint32_t leg, std::string_view values);
  [[nodiscard]] bool place_values(std::vector<std::string_view>& values) const;

  const Kind kind_;
  const bool write_;
  const std::vector<std::vector<uint32_t>> keys_of_leg_;
  const size_t reply_bytes_max_;
  std::vector<std::string> replies_;
  size_t reply_bytes_ = 0;
  size_t missing_;
  bool executed_ = false;  // some leg was
  bool given_up_ = false;  // some leg was, not executed
  bool unknown_ = false;   // whether some leg was executed
  int64_t sum_ = 0;
  std::string error_;
};

// A command that all heads answered, each for its slots.
class WideMerge {
 public:
  enum class Kind : uint8_t {
    sum,     // DBSIZE
    concat,  // KEYS
    choice,  // RANDOMKEY: one of the answers that are not null, weighted by the slots behind them
  };
  WideMerge(Kind kind, protocol::RespVersion version, size_t reply_bytes_max = protocol::kReplyBytesMax)
      : kind_(kind), version_(version), reply_bytes_max_(reply_bytes_max) {}

  // What `slots` slots answered; the lock keyspace counts as one. False when it is an error, makes no sense or becomes
  // longer than a reply may be: take() is then an error that says so, and nothing more is to be added.
  bool add(std::string_view reply, uint32_t slots, Random& random);
  [[nodiscard]] std::string take();

 private:
  bool fail(std::string_view error);

  const Kind kind_;
  const protocol::RespVersion version_;
  const size_t reply_bytes_max_;
  uint64_t sum_ = 0;     // of integers, or of elements
  uint64_t weight_ = 0;  // of the answers that were candidates
  std::string body_;     // elements, or the choice so far
  bool failed_ = false;
};

// The nodes' figures for INFO, added up. Sections: keyspace, memory, stats.
class NodeFigures {
 public:
  struct Keyspace {
    int64_t keys = 0;
    int64_t expires = 0;
    int64_t ttl_sum = 0;  // avg_ttl of each node, weighted by its expires
  };

  // `text`: lines "name:value" of one node. Lines of a keyspace are "db0:keys=1,expires=0,avg_ttl=0". What is no number
  // cannot be added up and is left out.
  void add(std::string_view section, std::string_view text);

  [[nodiscard]] const std::map<std::string, int64_t, std::less<>>* section(std::string_view name) const;
  [[nodiscard]] const std::map<uint32_t, Keyspace>& keyspace() const { return keyspace_; }

 private:
  void add_database(std::string_view name, std::string_view fields);

  std::map<std::string, std::map<std::string, int64_t, std::less<>>, std::less<>> sections_;
  std::map<uint32_t, Keyspace> keyspace_;
};

// The text of a bulk string reply; nothing for anything else.
[[nodiscard]] std::optional<std::string> text_of_reply(std::string_view reply);

}  // namespace chainring::router
