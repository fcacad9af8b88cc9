// The hash table against a std::unordered_map, through growth and shrinking, with scans going on meanwhile.
#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "engine/entry.h"
#include "engine/table.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::engine {
namespace {

constexpr uint64_t kHashSeed = 42;

uint64_t hash_of(std::string_view key) { return hash_key(key, kHashSeed); }

// A table and what it must hold.
class Twin {
 public:
  void insert(const std::string& key) {
    Entry* entry = Entry::make_string(key, "v", kNoDeadline);
    table.insert(hash_of(key), entry);
    REQUIRE(model.emplace(key, entry).second);
  }
  void remove(const std::string& key) {
    const auto found = model.find(key);
    REQUIRE(found != model.end());
    table.extract(hash_of(key), found->second);
    Entry::destroy(found->second);
    model.erase(found);
  }
  // Makes the key's entry another one.
  void replace(const std::string& key) {
    Entry*& entry = model.at(key);
    Entry* fresh = Entry::make_string(key, std::string(40, 'w'), kNoDeadline);
    table.replace(hash_of(key), entry, fresh);
    Entry::destroy(entry);
    entry = fresh;
  }
  void check() const {
    REQUIRE(table.size() == model.size());
    for (const auto& [key, entry] : model) REQUIRE(table.find(hash_of(key), key) == entry);
    std::vector<Entry*> all;
    for (uint64_t position = 0; position != Table::kEndPosition;) position = table.scan(position, all);
    REQUIRE(all.size() == model.size());  // at rest a scan meets every key once
    for (const Entry* entry : all) REQUIRE(model.at(std::string(entry->key())) == entry);
  }

  Table table{kHashSeed};
  std::unordered_map<std::string, Entry*> model;
};

// A scan that goes on while the table changes; knows which keys it owes.
class LongScan {
 public:
  explicit LongScan(const Twin& twin) {
    for (const auto& [key, entry] : twin.model) owed_.insert(key);
  }
  void step(const Twin& twin) {
    std::vector<Entry*> found;
    position_ = twin.table.scan(position_, found);
    for (const Entry* entry : found) met_.insert(std::string(entry->key()));
  }
  void removed(const std::string& key) { owed_.erase(key); }
  [[nodiscard]] bool done() const { return position_ == Table::kEndPosition; }
  [[nodiscard]] bool met_all() const { return std::includes(met_.begin(), met_.end(), owed_.begin(), owed_.end()); }

 private:
  uint64_t position_ = 0;
  std::set<std::string> owed_;
  std::set<std::string> met_;
};

TEST_CASE("Table: equals a map through growth and shrinking, and scans meet every key that stays") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Twin twin;
    int scans_done = 0;
    // Phases of mostly inserting and mostly removing, to sizes of many segments and back to none.
    for (const uint32_t insert_percent : {90u, 15u, 70u, 10u, 95u, 50u, 5u}) {
      LongScan scan(twin);
      for (int i = 0; i < 6000; ++i) {
        const std::string key = "key:" + std::to_string(random.below(20'000));
        const bool present = twin.model.contains(key);
        if (random.percent(insert_percent)) {
          present ? twin.replace(key) : twin.insert(key);
        } else if (!twin.model.empty()) {
          // Any key that is there, so that the table does shrink.
          const std::string victim = present ? key : std::string(twin.table.random(random)->key());
          twin.remove(victim);
          scan.removed(victim);
        }
        if (i % 3 == 0) scan.step(twin);
        if (scan.done()) {
          REQUIRE(scan.met_all());
          ++scans_done;
          scan = LongScan(twin);
        }
      }
      twin.check();
    }
    REQUIRE(scans_done > 5);
    while (!twin.model.empty()) twin.remove(twin.model.begin()->first);
    twin.check();
    CHECK(twin.table.memory_bytes() == 0);
  }
}

TEST_CASE("Table: removing in the order of a scan leaves no memory behind") {
  Twin twin;
  for (int i = 0; i < 50'000; ++i) twin.insert(std::to_string(i));
  const uint64_t full_bytes = twin.table.memory_bytes();
  CHECK(full_bytes / 50'000 < 32);  // of places, for each key
  uint64_t position = 0;
  while (position != Table::kEndPosition) {
    std::vector<Entry*> found;
    position = twin.table.scan(position, found);
    for (const Entry* entry : found) twin.remove(std::string(entry->key()));
  }
  twin.check();
  CHECK(twin.table.size() == 0);
  CHECK(twin.table.memory_bytes() == 0);
}

TEST_CASE("Table: keys whose hashes begin alike cost time, not the directory's memory") {
  // As many as fill several segments, all in the same 4096th of the hash range.
  Twin twin;
  for (uint64_t i = 0; twin.model.size() < 2000; ++i) {
    const std::string key = std::to_string(i);
    if (hash_of(key) >> 52 == 0) twin.insert(key);
  }
  twin.check();
  CHECK(twin.table.memory_bytes() < 2000 * 64);
  while (twin.model.size() > 3) twin.remove(twin.model.begin()->first);
  twin.check();
  CHECK(twin.table.memory_bytes() < 4096);
}

TEST_CASE("Table.random: finds every key, none of them rarely") {
  SeededRandom random(3);
  Twin twin;
  std::unordered_map<std::string, int> drawn;
  for (int i = 0; i < 200; ++i) twin.insert(std::to_string(i));
  for (int i = 0; i < 100'000; ++i) ++drawn[std::string(twin.table.random(random)->key())];
  CHECK(drawn.size() == 200);
  for (const auto& [key, times] : drawn) CHECK(times > 100);  // 500 were fair
}

TEST_CASE("hash_key: is the same on every machine") {
  CHECK(hash_key("", 0) == 0x2d06800538d394c2ULL);
  CHECK(hash_key("key", 1) != hash_key("key", 2));
}

}  // namespace
}  // namespace chainring::engine
