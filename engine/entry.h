// One key with its value and deadline, in one allocation where the value is short.
//
//   [header 16 bytes][deadline 8, place in the deadline heap 4: only when it has one][key][short string]
//
// A string is kept as a number when its text is one that Redis would print for it, next to the key up to
// kEmbeddedBytesMax bytes, and in an allocation of its own beyond. Other types will hang their object on the payload.
//
// Ownership: an Entry is made by make_*(), owned by whoever holds the pointer, and ended by destroy(). The functions
// that reshape one take the old pointer and return the one that replaces it, which may be the same.
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace chainring::engine {

// The numbers are part of digests and, later, of snapshots.
enum class ValueType : uint8_t { string = 0, list = 1, set = 2, zset = 3, hash = 4, stream = 5 };
[[nodiscard]] std::string_view type_name(ValueType type);

enum class Encoding : uint8_t { integer, embedded, raw };
[[nodiscard]] std::string_view encoding_name(Encoding encoding);

inline constexpr Millis kNoDeadline = INT64_MAX;
inline constexpr size_t kEmbeddedBytesMax = 44;                    // Redis' limit, visible by OBJECT ENCODING
inline constexpr uint64_t kStringBytesMax = 512ULL * 1024 * 1024;  // Redis' proto-max-bulk-len
inline constexpr uint32_t kNotInHeap = UINT32_MAX;

// Room for the text of a number, so that every string can be read as text without an allocation.
struct IntegerText {
  char bytes[24];
};

class Entry {
 public:
  // REQUIRES: sizes up to kStringBytesMax.
  [[nodiscard]] static Entry* make_string(std::string_view key, std::string_view text, Millis deadline);
  // The same value and deadline under another key.
  [[nodiscard]] static Entry* make_copy(std::string_view key, const Entry& source);
  static void destroy(Entry* entry);

  [[nodiscard]] std::string_view key() const { return {bytes() + key_offset(), key_size_}; }
  [[nodiscard]] ValueType type() const { return static_cast<ValueType>(type_); }
  [[nodiscard]] Encoding encoding() const { return static_cast<Encoding>(encoding_); }

  [[nodiscard]] bool has_deadline() const { return has_deadline_ != 0; }
  [[nodiscard]] Millis deadline() const;  // kNoDeadline for none
  [[nodiscard]] bool expired(Millis now) const { return has_deadline() && deadline() <= now; }
  // Where the deadline heap has this entry. REQUIRES: has_deadline().
  [[nodiscard]] uint32_t heap_index() const;
  void set_heap_index(uint32_t index);

  // Seconds modulo 2^24, as OBJECT IDLETIME and eviction need them.
  static constexpr uint32_t kAccessSecondsMask = (1u << 24) - 1;
  [[nodiscard]] uint32_t access_seconds() const { return access_seconds_; }
  void set_access_seconds(uint32_t seconds) { access_seconds_ = seconds & kAccessSecondsMask; }

  // Of strings. Lifetime of the text: until the entry changes, and that of `scratch`.
  [[nodiscard]] std::string_view text(IntegerText& scratch) const;
  [[nodiscard]] size_t text_size() const;
  // REQUIRES: encoding() == Encoding::integer.
  [[nodiscard]] int64_t integer() const { return payload_.integer; }

  // What it takes, by our own count (rounded as an allocator rounds), its value included.
  [[nodiscard]] uint64_t memory_bytes() const;

  // Reshaping. Heap places are not carried over: the owner takes the old entry out of the heap before.
  [[nodiscard]] static Entry* with_text(Entry* entry, std::string_view text, Millis deadline);
  [[nodiscard]] static Entry* with_deadline(Entry* entry, Millis deadline);
  [[nodiscard]] static Entry* with_key(Entry* entry, std::string_view key);
  // Writes `text` at `offset` of the string, filling a gap with zeros; the string becomes raw, as in Redis.
  // REQUIRES: offset + text.size() <= kStringBytesMax.
  [[nodiscard]] static Entry* with_overwritten(Entry* entry, size_t offset, std::string_view text);

 private:
  struct LongString {
    size_t size;
    size_t capacity;
    char bytes[];
  };
  struct Shape {
    size_t key_size;
    bool has_deadline;
    Encoding encoding;
    size_t embedded_size;  // of an embedded string, else 0
  };
  static constexpr size_t kTimingBytes = sizeof(Millis) + sizeof(uint32_t);

  [[nodiscard]] static size_t allocation_bytes(const Shape& shape);
  [[nodiscard]] static Entry* allocate(std::string_view key, const Shape& shape, Millis deadline);
  // An entry of another shape with the same value, which moves over; the old one ends.
  [[nodiscard]] static Entry* rebuilt(Entry* entry, std::string_view key, Millis deadline);
  [[nodiscard]] static LongString* make_long(std::string_view text, size_t capacity);
  [[nodiscard]] static Shape shape_of_text(std::string_view key, std::string_view text, bool has_deadline,
                                           int64_t& integer);

  [[nodiscard]] Shape shape() const;
  void fill(const Shape& shape, std::string_view text, int64_t integer);
  void release_value();
  void write_deadline(Millis deadline);  // where there is room for one

  [[nodiscard]] char* bytes() { return reinterpret_cast<char*>(this); }
  [[nodiscard]] const char* bytes() const { return reinterpret_cast<const char*>(this); }
  [[nodiscard]] size_t key_offset() const { return sizeof(Entry) + (has_deadline() ? kTimingBytes : 0); }
  [[nodiscard]] char* embedded() { return bytes() + key_offset() + key_size_; }
  [[nodiscard]] const char* embedded() const { return bytes() + key_offset() + key_size_; }

  uint32_t key_size_;
  uint32_t access_seconds_ : 24;
  uint32_t type_ : 4;
  uint32_t encoding_ : 3;
  uint32_t has_deadline_ : 1;
  union {
    int64_t integer;
    uint64_t embedded_size;
    LongString* long_string;
  } payload_;
};
static_assert(sizeof(Entry) == 16, "the header is paid for by every key");

}  // namespace chainring::engine
