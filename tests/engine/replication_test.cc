// Random commands at a head; a second database that only applies the effects must stay equal to it (R9).
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/slot.h"
#include "tests/engine/session.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::engine {
namespace {

// Lines with placeholders: K and L keys of one slot, V a value, N an integer, T milliseconds, D a database.
// clang-format off
constexpr std::string_view kTemplates[] = {
    "set K V", "set K V", "set K V px T", "set K V ex 1", "set K V nx", "set K V xx", "set K V get", "set K V keepttl",
    "set K V ifeq V", "set K V pxat 5", "set K V nx px T get", "setnx K V", "setex K 1 V", "psetex K T V",
    "getset K V", "getdel K", "getex K", "getex K px T", "getex K persist", "getex K pxat 5", "get K",
    "mset K V L V", "msetnx K V L V", "mget K L", "append K V", "append K x", "setrange K 3 V", "setrange K 0 V",
    "setrange K 60 V", "getrange K 1 3", "strlen K", "incr K", "decr K", "incrby K N", "decrby K N",
    "incrbyfloat K 0.25", "lcs K L", "delifeq K V", "delex K", "delex K ifeq V", "del K", "del K L", "unlink K",
    "exists K L", "touch K", "type K", "rename K L", "renamenx K L", "rename K K", "copy K L", "copy K L replace",
    "copy K L db D replace", "copy K K db D", "expire K 1", "pexpire K T", "pexpire K T nx", "pexpire K T xx",
    "pexpire K T gt", "pexpire K T lt", "pexpireat K 5", "expire K -1", "persist K", "ttl K", "pttl K", "keys *",
    "scan 0", "dbsize", "randomkey", "object encoding K", "memory usage K",
};
// clang-format on
constexpr std::string_view kRareTemplates[] = {"flushdb", "flushall"};
constexpr std::string_view kTags[] = {"", "a", "b", "plain"};
constexpr std::string_view kValues[] = {"",
                                        "0",
                                        "1",
                                        "-7",
                                        "9223372036854775807",
                                        "3.5",
                                        "word",
                                        "a-text-of-fifty-bytes-that-does-not-fit-next-to-the-key",
                                        "forty-four-bytes-which-is-the-most-embedded."};

class Chain {
 public:
  explicit Chain(uint64_t seed) : random_(seed), head_(seed) {}

  void step() {
    head_.now += static_cast<Millis>(random_.below(40));
    head_.db = random_.percent(80) ? 0 : static_cast<uint8_t>(random_.below(3));
    if (random_.percent(3)) {
      head_.effects.clear();
      head_.database.expire(kAllSlots, head_.now, random_.below(4), head_.effects);
    } else {
      line_ = random_line();
      head_.Line(line_);
    }
    replicate();
  }

  // Every read gives the same at both.
  void compare_reads() {
    tail_.now = head_.now;
    for (uint8_t db = 0; db < 3; ++db) {
      head_.db = tail_.db = db;
      for (const std::string_view tag : kTags) {
        for (int i = 0; i < 4; ++i) {
          const std::string key = concat("{", tag, "}", i);
          for (const std::string_view read : {"get ", "pttl ", "type ", "exists ", "strlen "}) {
            INFO(read << key);
            REQUIRE(head_.Line(concat(read, key)) == tail_.Line(concat(read, key)));
          }
        }
      }
      REQUIRE(head_.Line("dbsize") == tail_.Line("dbsize"));
    }
    CHECK(head_.database.memory_bytes() > 0);
  }

 private:
  std::string random_line() {
    const std::string_view tag = kTags[random_.below(std::size(kTags))];
    const std::string_view pattern = random_.percent(1) ? kRareTemplates[random_.below(std::size(kRareTemplates))]
                                                        : kTemplates[random_.below(std::size(kTemplates))];
    std::string line;
    for (const std::string_view word : words(pattern)) {
      if (!line.empty()) line += ' ';
      if (word == "K" || word == "L") {
        append_text(line, "{", tag, "}", word == "K" ? random_.below(2) : random_.below(4));
      } else if (word == "V") {
        const std::string_view value = kValues[random_.below(std::size(kValues))];
        line += value.empty() ? "empty" : value;
      } else if (word == "N") {
        append_text(line, static_cast<int64_t>(random_.below(100)) - 50);
      } else if (word == "T") {
        append_text(line, 1 + random_.below(300));
      } else if (word == "D") {
        append_text(line, random_.below(3));
      } else {
        line += word;
      }
    }
    return line;
  }

  void replicate() {
    for (const auto& [slot, bytes] : head_.effects.slots()) {
      INFO(line_ << "\n" << effect_lines(bytes));
      const Status status = tail_.database.apply(slot, bytes);
      INFO(status.message());
      REQUIRE(status.ok());
      touched_.insert(slot);
    }
    INFO(line_);
    for (const Slot slot : touched_) REQUIRE(head_.database.digest(slot) == tail_.database.digest(slot));
    REQUIRE(head_.database.earliest_deadline() == tail_.database.earliest_deadline());
  }

  SeededRandom random_;
  Session head_;
  Session tail_;
  std::set<Slot> touched_;
  std::string line_;
};

TEST_CASE("a member that applies the effects of random commands stays equal to the head") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    Chain chain(seed);
    for (int i = 0; i < 1500; ++i) chain.step();
    chain.compare_reads();
  }
}

TEST_CASE("Database.digest: tells contents apart, and not the order in which they came") {
  Session one;
  Session other;
  for (int i = 0; i < 500; ++i) one.Run({"set", "{s}" + std::to_string(i), "v"});
  for (int i = 499; i >= 0; --i) other.Run({"set", "{s}" + std::to_string(i), "v"});
  const Slot slot = protocol::slot_of("{s}");
  const uint64_t before = one.database.digest(slot);
  CHECK(before == other.database.digest(slot));
  CHECK(before != 0);
  std::set<uint64_t> seen{before};
  for (const std::string_view line :
       {"set {s}1 w", "pexpireat {s}1 2000000000000", "pexpireat {s}1 2000000000001", "del {s}1", "set {s} 1v"}) {
    one.Line(line);
    CHECK(seen.insert(one.database.digest(slot)).second);
  }
  Session in_other_db;
  in_other_db.db = 1;
  for (int i = 0; i < 500; ++i) in_other_db.Run({"set", "{s}" + std::to_string(i), "v"});
  CHECK(in_other_db.database.digest(slot) != before);
}

}  // namespace
}  // namespace chainring::engine
