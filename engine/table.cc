#include "engine/table.h"

#include <xxhash.h>

#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"

namespace chainring::engine {
namespace {

constexpr int kSegmentLog2Max = 6;  // 64 buckets: 4 KiB
// Average keys in a bucket at which a segment grows. At 5 of 7 about one bucket in eight overflows; after doubling it
// is 2.5.
constexpr uint32_t kFullKeysPerBucket = 5;
constexpr uint32_t kFullKeysExtra = 2;  // lets the single bucket of a small table fill up
// Average keys in a bucket below which it shrinks: far enough below the half of kFullKeysPerBucket not to swing.
constexpr uint32_t kSparseKeysPerBucket = 1;
constexpr int kRandomTriesMax = 16;

constexpr uint64_t kEveryByte = 0x0101010101010101ULL;
constexpr uint64_t kHighBits = 0x8080808080808080ULL;
static_assert(std::endian::native == std::endian::little, "byte i of a word is its i-th lowest");

constexpr uint8_t tag_of(uint64_t hash) { return static_cast<uint8_t>(hash); }

}  // namespace

uint64_t hash_key(std::string_view key, uint64_t seed) { return XXH3_64bits_withSeed(key.data(), key.size(), seed); }

// Entries 0 .. count-1 are in use. A continued bucket keeps 6 of them and the pointer to the next bucket in the place
// of the seventh; only the last bucket of such a list is not full.
struct alignas(64) Table::Bucket {
  static constexpr int kEntries = 7;

  uint8_t tags[kEntries] = {};
  uint8_t count : 7 = 0;
  uint8_t continued : 1 = 0;
  union Place {
    Entry* entry;
    Bucket* next;
  } places[kEntries] = {};

  [[nodiscard]] Bucket* next() { return continued ? places[kEntries - 1].next : nullptr; }

  // The high bit of byte i is set for every place in use whose tag matches; rarely for others, so keys are compared.
  [[nodiscard]] uint64_t candidates(uint8_t tag) const {
    uint64_t word;
    std::memcpy(&word, this, sizeof word);
    const uint64_t difference = word ^ (kEveryByte * tag);
    const uint64_t zeros = (difference - kEveryByte) & ~difference & kHighBits;
    return zeros & ((uint64_t{1} << (8 * count)) - 1);
  }
  void add(uint8_t tag, Entry* entry) {
    tags[count] = tag;
    places[count].entry = entry;
    ++count;
  }
};

// Buckets of the keys whose hashes begin with the same `depth` bits, in hash order.
struct alignas(64) Table::Segment {
  uint32_t keys = 0;
  uint8_t depth = 0;
  uint8_t log2_buckets = 0;

  [[nodiscard]] uint32_t bucket_count() const { return 1u << log2_buckets; }
  [[nodiscard]] Bucket* buckets() { return reinterpret_cast<Bucket*>(this + 1); }
  [[nodiscard]] uint32_t index(uint64_t hash) const {
    return static_cast<uint32_t>((hash << depth) >> 1 >> (63 - log2_buckets));
  }
  [[nodiscard]] Bucket* bucket(uint64_t hash) { return buckets() + index(hash); }
  [[nodiscard]] bool full() const { return keys >= bucket_count() * kFullKeysPerBucket + kFullKeysExtra; }
  [[nodiscard]] bool sparse() const { return keys < bucket_count() * kSparseKeysPerBucket; }
};

Table::Segment* Table::make_segment(int depth, int log2_buckets) {
  const size_t buckets = size_t{1} << log2_buckets;
  const size_t bytes = sizeof(Segment) + buckets * sizeof(Bucket);
  auto* made = new (::operator new(bytes, std::align_val_t{alignof(Segment)})) Segment;
  made->depth = static_cast<uint8_t>(depth);
  made->log2_buckets = static_cast<uint8_t>(log2_buckets);
  for (size_t i = 0; i < buckets; ++i) new (made->buckets() + i) Bucket;
  bucket_bytes_ += bytes;
  return made;
}

// The overflow buckets must have been moved or freed.
void Table::free_segment(Segment* segment) {
  bucket_bytes_ -= sizeof(Segment) + segment->bucket_count() * sizeof(Bucket);
  ::operator delete(segment, std::align_val_t{alignof(Segment)});
}

uint64_t Table::memory_bytes() const { return bucket_bytes_ + directory_.capacity() * sizeof(Segment*); }

Entry* Table::find(uint64_t hash, std::string_view key) const {
  if (size_ == 0) return nullptr;
  for (Bucket* bucket = segment(hash)->bucket(hash); bucket != nullptr; bucket = bucket->next()) {
    for (uint64_t found = bucket->candidates(tag_of(hash)); found != 0; found &= found - 1) {
      Entry* entry = bucket->places[std::countr_zero(found) / 8].entry;
      if (entry->key() == key) return entry;
    }
  }
  return nullptr;
}

void Table::insert(uint64_t hash, Entry* entry) {
  if (size_ == 0 && only_ == nullptr) only_ = make_segment(0, 0);
  make_room(hash);
  put(segment(hash), hash, entry);
  ++size_;
}

void Table::put(Segment* segment, uint64_t hash, Entry* entry) {
  Bucket* bucket = segment->bucket(hash);
  while (bucket->continued) bucket = bucket->next();
  if (bucket->count == Bucket::kEntries) {
    auto* overflow = new Bucket;
    bucket_bytes_ += sizeof(Bucket);
    constexpr int kLast = Bucket::kEntries - 1;
    overflow->add(bucket->tags[kLast], bucket->places[kLast].entry);
    bucket->count = kLast;
    bucket->continued = 1;
    bucket->places[kLast].next = overflow;
    bucket = overflow;
  }
  bucket->add(tag_of(hash), entry);
  ++segment->keys;
}

void Table::replace(uint64_t hash, const Entry* old, Entry* fresh) {
  for (Bucket* bucket = segment(hash)->bucket(hash); bucket != nullptr; bucket = bucket->next()) {
    for (int i = 0; i < bucket->count; ++i) {
      if (bucket->places[i].entry == old) {
        bucket->places[i].entry = fresh;
        return;
      }
    }
  }
  CHECK(false, "the entry to replace is in the table");
}

void Table::extract(uint64_t hash, const Entry* entry) {
  Segment* home = segment(hash);
  Bucket* before_last = nullptr;
  Bucket* last = home->bucket(hash);
  Bucket* at = nullptr;
  int place = 0;
  for (;;) {
    for (int i = 0; i < last->count; ++i) {
      if (last->places[i].entry == entry) {
        at = last;
        place = i;
      }
    }
    if (!last->continued) break;
    before_last = last;
    last = last->next();
  }
  CHECK(at != nullptr, "the entry to take out is in the table");
  CHECK(home->keys > 0, "a segment counts its keys");
  // The last entry of the list fills the hole; an overflow bucket that this empties goes.
  --last->count;
  at->tags[place] = last->tags[last->count];
  at->places[place] = last->places[last->count];
  if (last->count == 0 && before_last != nullptr) {
    before_last->continued = 0;
    delete last;
    bucket_bytes_ -= sizeof(Bucket);
  }
  --home->keys;
  --size_;
  shrink(hash);
}

void Table::clear() { static_cast<void>(clear_some(SIZE_MAX)); }

size_t Table::clear_some(size_t entries_max) {
  std::vector<Entry*> entries;
  size_t destroyed = 0;
  while (destroyed_below_ != kEndPosition && size_ != 0) {
    if (destroyed >= entries_max) return destroyed;
    entries.clear();
    destroyed_below_ = scan(destroyed_below_, entries);
    for (Entry* entry : entries) Entry::destroy(entry);
    destroyed += entries.size();
  }
  free_all_segments();
  destroyed_below_ = 0;
  return destroyed;
}

void Table::move_to(Table& empty) {
  CHECK(empty.size_ == 0 && empty.seed_ == seed_, "a table is moved to an empty one of its kind");
  empty.clear();
  std::swap(size_, empty.size_);
  std::swap(bucket_bytes_, empty.bucket_bytes_);
  std::swap(only_, empty.only_);
  std::swap(directory_, empty.directory_);
  std::swap(depth_, empty.depth_);
  std::swap(deepest_segments_, empty.deepest_segments_);
}

void Table::free_all_segments() {
  const Segment* freed = nullptr;
  const auto drop = [&](Segment* segment) {
    if (segment == nullptr || segment == freed) return;
    freed = segment;
    for (uint32_t i = 0; i < segment->bucket_count(); ++i) {
      for (Bucket* overflow = segment->buckets()[i].next(); overflow != nullptr;) {
        Bucket* next = overflow->next();
        delete overflow;
        bucket_bytes_ -= sizeof(Bucket);
        overflow = next;
      }
    }
    free_segment(segment);
  };
  if (depth_ == 0) drop(only_);
  for (Segment* segment : directory_) drop(segment);
  only_ = nullptr;
  directory_ = std::vector<Segment*>();  // gives the room back
  depth_ = 0;
  deepest_segments_ = 0;
  size_ = 0;
}

// Makes every place of the directory that belongs to the segment (of which `hash` is one) point to it.
void Table::install(Segment* segment, uint64_t hash) {
  if (depth_ == 0) {
    only_ = segment;
    return;
  }
  const int shared_bits = depth_ - segment->depth;
  const uint64_t first = hash >> (64 - depth_) >> shared_bits << shared_bits;
  for (uint64_t i = 0; i < uint64_t{1} << shared_bits; ++i) directory_[first + i] = segment;
}

void Table::make_room(uint64_t hash) {
  for (;;) {
    Segment* home = segment(hash);
    if (!home->full()) return;
    if (home->log2_buckets < kSegmentLog2Max) {
      resize(home, hash, home->log2_buckets + 1);
      continue;
    }
    // The directory stays smaller than the keys are many, even if hashes were all alike: buckets grow longer instead.
    if (uint64_t{2} << home->depth > size_) return;
    cut(home, hash);
  }
}

void Table::resize(Segment* old, uint64_t hash, int log2_buckets) {
  Segment* fresh = make_segment(old->depth, log2_buckets);
  for (uint32_t i = 0; i < old->bucket_count(); ++i) {
    Bucket* first = old->buckets() + i;
    for (Bucket* bucket = first; bucket != nullptr;) {
      for (int j = 0; j < bucket->count; ++j) {
        Entry* entry = bucket->places[j].entry;
        put(fresh, hash_key(entry->key(), seed_), entry);
      }
      Bucket* next = bucket->next();
      if (bucket != first) {
        delete bucket;
        bucket_bytes_ -= sizeof(Bucket);
      }
      bucket = next;
    }
  }
  install(fresh, hash);
  free_segment(old);
}

// Cuts a segment into its halves: buckets move as they are, nothing is rehashed.
void Table::cut(Segment* old, uint64_t hash) {
  if (old->depth == depth_) {
    std::vector<Segment*> doubled(size_t{2} << depth_);
    for (size_t i = 0; i < doubled.size(); ++i) doubled[i] = depth_ == 0 ? only_ : directory_[i / 2];
    directory_ = std::move(doubled);
    only_ = nullptr;
    ++depth_;
    deepest_segments_ = 0;
  }
  const int depth = old->depth + 1;
  const uint64_t half_bit = uint64_t{1} << (64 - depth);
  const uint32_t half_buckets = old->bucket_count() / 2;
  for (uint32_t half = 0; half < 2; ++half) {
    Segment* fresh = make_segment(depth, old->log2_buckets - 1);
    std::memcpy(static_cast<void*>(fresh->buckets()), old->buckets() + half * half_buckets,
                half_buckets * sizeof(Bucket));
    for (uint32_t i = 0; i < half_buckets; ++i) {
      for (Bucket* bucket = fresh->buckets() + i; bucket != nullptr; bucket = bucket->next()) {
        fresh->keys += bucket->count;
      }
    }
    install(fresh, half == 0 ? hash & ~half_bit : hash | half_bit);
  }
  if (depth == depth_) deepest_segments_ += 2;
  free_segment(old);
}

void Table::shrink(uint64_t hash) {
  if (size_ == 0) return clear();
  for (;;) {
    Segment* home = segment(hash);
    if (!home->sparse()) return;
    if (join(home, hash)) continue;
    if (home->log2_buckets == 0) return;
    resize(home, hash, home->log2_buckets - 1);
  }
}

// Puts the segment and its other half together again if they are alike and small. Says whether it did.
bool Table::join(Segment* segment, uint64_t hash) {
  if (segment->depth == 0 || segment->log2_buckets == kSegmentLog2Max) return false;
  const uint64_t half_bit = uint64_t{1} << (64 - segment->depth);
  Segment* other = this->segment(hash ^ half_bit);
  if (other->depth != segment->depth || other->log2_buckets != segment->log2_buckets) return false;
  Segment* halves[2] = {segment, other};
  if ((hash & half_bit) != 0) std::swap(halves[0], halves[1]);

  Segment* joined = make_segment(segment->depth - 1, segment->log2_buckets + 1);
  for (uint32_t half = 0; half < 2; ++half) {
    const uint32_t half_buckets = halves[half]->bucket_count();
    std::memcpy(static_cast<void*>(joined->buckets() + half * half_buckets), halves[half]->buckets(),
                half_buckets * sizeof(Bucket));
    joined->keys += halves[half]->keys;
  }
  install(joined, hash);
  if (segment->depth == depth_) deepest_segments_ -= 2;
  free_segment(segment);
  free_segment(other);
  while (depth_ > 0 && deepest_segments_ == 0) halve_directory();
  return true;
}

void Table::halve_directory() {
  --depth_;
  if (depth_ == 0) {
    only_ = directory_.front();
    directory_ = std::vector<Segment*>();  // gives the room back
    return;
  }
  std::vector<Segment*> halved(size_t{1} << depth_);
  for (size_t i = 0; i < halved.size(); ++i) halved[i] = directory_[2 * i];
  directory_ = std::move(halved);
  for (size_t i = 0; i < directory_.size(); ++i) deepest_segments_ += directory_[i]->depth == depth_;
}

uint64_t Table::scan(uint64_t position, std::vector<Entry*>& out) const {
  CHECK(position < kEndPosition, "a position is a part of a hash");
  if (size_ == 0) return kEndPosition;
  const uint64_t hash = position << (64 - kPositionBits);
  Segment* home = segment(hash);
  for (Bucket* bucket = home->bucket(hash); bucket != nullptr; bucket = bucket->next()) {
    for (int i = 0; i < bucket->count; ++i) out.push_back(bucket->places[i].entry);
  }
  const int free_bits = kPositionBits - home->depth - home->log2_buckets;
  return ((position >> free_bits) + 1) << free_bits;
}

Entry* Table::random(Random& random) const {
  CHECK(size_ > 0, "an empty table has no entry");
  std::vector<Entry*> found;
  uint64_t position = 0;
  for (int tries = 0; tries < kRandomTriesMax && found.empty(); ++tries) {
    position = scan(random.next() >> (64 - kPositionBits), found);
  }
  while (found.empty()) position = scan(position == kEndPosition ? 0 : position, found);
  return found[random.below(found.size())];
}

}  // namespace chainring::engine
