// The hash table of one slot in one database: from keys to entries.
//
// Keys lie in hash order. The hash's leading `depth` bits select a segment through the directory (extendible hashing,
// Fagin et al. 1979); the bits behind them a bucket in it. A bucket is one cache line: seven entries with a byte of
// their hash each; a full one is continued in an overflow bucket. A segment doubles until it has kSegmentBucketsMax
// buckets and is then cut in two, so that no operation ever rehashes more than one segment (about 300 keys); only the
// directory, one pointer a segment, is copied as a whole. Shrinking is the same backwards.
//
// Because places are in hash order, a place of a scan is simply a number between two hashes (engine/cursor.h): it
// means the same in every table with the same seed, whatever its size, and a scan that moves it from 0 to the end has
// met every key that was there all the time.
//
// Thread-safety: none. Ownership: of the entries in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "engine/entry.h"

namespace chainring::engine {

// XXH3 with the cluster's seed.
[[nodiscard]] uint64_t hash_key(std::string_view key, uint64_t seed);

class Table {
 public:
  // Positions are the leading bits of hashes.
  static constexpr int kPositionBits = 48;
  static constexpr uint64_t kEndPosition = uint64_t{1} << kPositionBits;

  explicit Table(uint64_t seed) : seed_(seed) {}
  ~Table() { clear(); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] uint64_t memory_bytes() const;  // of the table itself, without its entries

  // `hash` is hash_key(key, seed) in all of these.
  [[nodiscard]] Entry* find(uint64_t hash, std::string_view key) const;
  // REQUIRES: the key is not there.
  void insert(uint64_t hash, Entry* entry);
  // Puts `fresh` where `old` is; `old` may be gone already. REQUIRES: `old` is there, and both have the same key.
  void replace(uint64_t hash, const Entry* old, Entry* fresh);
  // Takes the entry out, which is the caller's then. REQUIRES: it is there.
  void extract(uint64_t hash, const Entry* entry);
  void clear();
  // Gives everything to the other one, which was empty. REQUIRES: the same seed.
  void move_to(Table& empty);
  // clear() in steps: destroys some `entries_max` entries and returns how many it were. When size() is 0 all is done;
  // until then nothing else may be done with the table but end its life.
  size_t clear_some(size_t entries_max);

  // Adds the entries at `position` (a whole bucket, possibly none) to `out`, and returns the next position, or
  // kEndPosition. The first position is 0. REQUIRES: position < kEndPosition.
  uint64_t scan(uint64_t position, std::vector<Entry*>& out) const;

  // An entry by chance, nearly uniform. REQUIRES: size() > 0.
  [[nodiscard]] Entry* random(Random& random) const;

 private:
  struct Bucket;
  struct Segment;

  [[nodiscard]] Segment* segment(uint64_t hash) const {
    return depth_ == 0 ? only_ : directory_[hash >> (64 - depth_)];
  }
  [[nodiscard]] Segment* make_segment(int depth, int log2_buckets);
  void free_segment(Segment* segment);
  void free_all_segments();
  void put(Segment* segment, uint64_t hash, Entry* entry);
  void install(Segment* segment, uint64_t hash);
  void make_room(uint64_t hash);
  void shrink(uint64_t hash);
  void resize(Segment* old, uint64_t hash, int log2_buckets);
  void cut(Segment* old, uint64_t hash);
  bool join(Segment* segment, uint64_t hash);
  void halve_directory();

  uint64_t seed_;
  uint64_t size_ = 0;
  uint64_t bucket_bytes_ = 0;
  Segment* only_ = nullptr;          // while depth_ == 0; made with the first key
  std::vector<Segment*> directory_;  // 2^depth_ places while depth_ > 0; neighbours may share a segment
  int depth_ = 0;
  uint32_t deepest_segments_ = 0;  // of depth_, while depth_ > 0
  uint64_t destroyed_below_ = 0;   // the position before which clear_some() has destroyed the entries
};

}  // namespace chainring::engine
