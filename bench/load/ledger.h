// The keys that a load writes: which value of each was sent last, and which was acknowledged.
//
// Every value is unique: it begins with its version, which counts up for each key. A key has one write under way at a
// time, so a value that is read tells whether an acknowledged one is gone: its version is below the acknowledged one.
// An attempt that was given up may still arrive after a later write was acknowledged, and overwrite it: nobody promises
// otherwise. What such an attempt wrote is no proof of a loss.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/ids.h"

namespace chainring::load {

using Key = uint32_t;      // index of a key
using Version = uint32_t;  // of a key's value; 0 is that of a key that does not exist

inline constexpr uint32_t kKeysMax = 100'000'000;
inline constexpr size_t kValueBytesMax = 1 << 20;
inline constexpr size_t kDoubtsMax = 10'000'000;

enum class Finding {
  sound,
  older,    // than what had been acknowledged: that is lost, or the read is stale
  late,     // older, but of an attempt that was given up
  strange,  // a value that was never written to this key
};

class Ledger {
 public:
  // Keys are "<prefix>:<index>". Values have at least `value_bytes` bytes. REQUIRES: keys in 1..kKeysMax,
  // value_bytes <= kValueBytesMax.
  Ledger(std::string prefix, uint32_t keys, size_t value_bytes);

  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
  [[nodiscard]] std::string name(Key key) const;
  [[nodiscard]] Slot slot(Key key) const { return slots_[key]; }
  [[nodiscard]] std::string value(Key key, Version version) const;

  // The version of the key's next write.
  [[nodiscard]] Version send(Key key) { return ++entries_[key].sent; }
  void acknowledge(Key key, Version version);
  // An attempt to write this was given up. Beyond kDoubtsMax it is forgotten: then a loss may be told that is none.
  void doubt(Key key, Version version);
  [[nodiscard]] Version acknowledged(Key key) const { return entries_[key].acknowledged; }

  // What a read found (nullopt: no such key) that began when `least` was acknowledged.
  [[nodiscard]] Finding judge(Key key, Version least, std::optional<std::string_view> found) const;
  // The same for a read while nothing is written; from now on what was found counts as what is there.
  [[nodiscard]] Finding settle(Key key, std::optional<std::string_view> found);

 private:
  struct Entry {
    Version sent = 0;
    Version acknowledged = 0;
  };
  [[nodiscard]] std::optional<Version> version_of(Key key, std::optional<std::string_view> found) const;

  std::string prefix_;
  size_t value_bytes_;
  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
  std::unordered_set<uint64_t> doubts_;  // key and version
};

}  // namespace chainring::load
