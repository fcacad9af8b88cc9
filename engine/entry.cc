#include "engine/entry.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

#include "base/check.h"
#include "base/text.h"

namespace chainring::engine {
namespace {

constexpr size_t kAllocationStep = 16;          // of the usual allocators' size classes
constexpr size_t kIntegerDigitsMax = 20;        // "-9223372036854775808"
constexpr size_t kLongGrowthStepMax = 1 << 20;  // beyond it a growing string gets this much room ahead, not the double

// An empty view may have no address, which memcpy does not allow.
void put_bytes(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

constexpr size_t rounded(size_t bytes) { return (bytes + kAllocationStep - 1) & ~(kAllocationStep - 1); }

}  // namespace

std::string_view type_name(ValueType type) {
  constexpr std::string_view kNames[] = {"string", "list", "set", "zset", "hash", "stream"};
  return kNames[static_cast<size_t>(type)];
}

std::string_view encoding_name(Encoding encoding) {
  constexpr std::string_view kNames[] = {"int", "embstr", "raw"};
  return kNames[static_cast<size_t>(encoding)];
}

size_t Entry::allocation_bytes(const Shape& shape) {
  return rounded(sizeof(Entry) + (shape.has_deadline ? kTimingBytes : 0) + shape.key_size + shape.embedded_size);
}

Entry* Entry::allocate(std::string_view key, const Shape& shape, Millis deadline) {
  CHECK(key.size() <= kStringBytesMax, "keys are bounded by the parser");
  auto* entry = new (::operator new(allocation_bytes(shape))) Entry;
  entry->key_size_ = static_cast<uint32_t>(key.size());
  entry->access_seconds_ = 0;
  entry->type_ = static_cast<uint32_t>(ValueType::string);
  entry->encoding_ = static_cast<uint32_t>(shape.encoding);
  entry->has_deadline_ = shape.has_deadline;
  entry->write_deadline(deadline);
  if (shape.has_deadline) entry->set_heap_index(kNotInHeap);
  put_bytes(entry->bytes() + entry->key_offset(), key);
  return entry;
}

Entry::LongString* Entry::make_long(std::string_view text, size_t capacity) {
  CHECK(text.size() <= capacity && capacity <= kStringBytesMax, "a string longer than the limit");
  auto* made = static_cast<LongString*>(::operator new(rounded(sizeof(LongString) + capacity)));
  made->size = text.size();
  made->capacity = capacity;
  put_bytes(made->bytes, text);
  return made;
}

Entry::Shape Entry::shape_of_text(std::string_view key, std::string_view text, bool has_deadline, int64_t& integer) {
  Shape shape{key.size(), has_deadline, Encoding::raw, 0};
  if (text.size() <= kIntegerDigitsMax) {
    if (const auto number = parse_int(text)) {
      integer = *number;
      shape.encoding = Encoding::integer;
      return shape;
    }
  }
  if (text.size() <= kEmbeddedBytesMax) {
    shape.encoding = Encoding::embedded;
    shape.embedded_size = text.size();
  }
  return shape;
}

// REQUIRES: the allocation has the shape's size and the entry no value.
void Entry::fill(const Shape& shape, std::string_view text, int64_t integer) {
  encoding_ = static_cast<uint32_t>(shape.encoding);
  switch (shape.encoding) {
    case Encoding::integer:
      payload_.integer = integer;
      break;
    case Encoding::embedded:
      payload_.embedded_size = text.size();
      put_bytes(embedded(), text);
      break;
    case Encoding::raw:
      payload_.long_string = make_long(text, text.size());
      break;
  }
}

Entry* Entry::make_string(std::string_view key, std::string_view text, Millis deadline) {
  int64_t integer = 0;
  const Shape shape = shape_of_text(key, text, deadline != kNoDeadline, integer);
  Entry* entry = allocate(key, shape, deadline);
  entry->fill(shape, text, integer);
  return entry;
}

Entry* Entry::make_copy(std::string_view key, const Entry& source) {
  IntegerText scratch;
  Shape shape = source.shape();
  shape.key_size = key.size();
  Entry* entry = allocate(key, shape, source.deadline());
  entry->fill(shape, source.text(scratch), source.payload_.integer);
  return entry;
}

void Entry::release_value() {
  if (encoding() == Encoding::raw) ::operator delete(payload_.long_string);
}

void Entry::destroy(Entry* entry) {
  entry->release_value();
  ::operator delete(entry);
}

Millis Entry::deadline() const {
  if (!has_deadline()) return kNoDeadline;
  Millis deadline;
  std::memcpy(&deadline, bytes() + sizeof(Entry), sizeof deadline);
  return deadline;
}

uint32_t Entry::heap_index() const {
  uint32_t index;
  std::memcpy(&index, bytes() + sizeof(Entry) + sizeof(Millis), sizeof index);
  return index;
}

void Entry::set_heap_index(uint32_t index) {
  std::memcpy(bytes() + sizeof(Entry) + sizeof(Millis), &index, sizeof index);
}

std::string_view Entry::text(IntegerText& scratch) const {
  switch (encoding()) {
    case Encoding::integer: {
      const auto end = std::to_chars(scratch.bytes, scratch.bytes + sizeof scratch.bytes, payload_.integer).ptr;
      return {scratch.bytes, static_cast<size_t>(end - scratch.bytes)};
    }
    case Encoding::embedded:
      return {embedded(), payload_.embedded_size};
    case Encoding::raw:
      break;
  }
  return {payload_.long_string->bytes, payload_.long_string->size};
}

size_t Entry::text_size() const {
  IntegerText scratch;
  return text(scratch).size();
}

Entry::Shape Entry::shape() const {
  return {key_size_, has_deadline(), encoding(), encoding() == Encoding::embedded ? payload_.embedded_size : 0};
}

uint64_t Entry::memory_bytes() const {
  uint64_t bytes = allocation_bytes(shape());
  if (encoding() == Encoding::raw) bytes += rounded(sizeof(LongString) + payload_.long_string->capacity);
  return bytes;
}

Entry* Entry::rebuilt(Entry* entry, std::string_view key, Millis deadline) {
  Shape shape = entry->shape();
  shape.key_size = key.size();
  shape.has_deadline = deadline != kNoDeadline;
  Entry* fresh = allocate(key, shape, deadline);
  fresh->access_seconds_ = entry->access_seconds_;
  fresh->payload_ = entry->payload_;
  if (shape.encoding == Encoding::embedded) std::memcpy(fresh->embedded(), entry->embedded(), shape.embedded_size);
  ::operator delete(entry);  // its value lives on in the fresh one
  return fresh;
}

Entry* Entry::with_text(Entry* entry, std::string_view text, Millis deadline) {
  int64_t integer = 0;
  const Shape shape = shape_of_text(entry->key(), text, deadline != kNoDeadline, integer);
  if (shape.has_deadline == entry->has_deadline() && allocation_bytes(shape) == allocation_bytes(entry->shape())) {
    entry->release_value();
    entry->write_deadline(deadline);
  } else {
    Entry* fresh = allocate(entry->key(), shape, deadline);
    fresh->access_seconds_ = entry->access_seconds_;
    destroy(entry);
    entry = fresh;
  }
  entry->fill(shape, text, integer);
  return entry;
}

void Entry::write_deadline(Millis deadline) {
  if (has_deadline()) std::memcpy(bytes() + sizeof(Entry), &deadline, sizeof deadline);
}

Entry* Entry::with_deadline(Entry* entry, Millis deadline) {
  if (entry->has_deadline() != (deadline != kNoDeadline)) return rebuilt(entry, entry->key(), deadline);
  entry->write_deadline(deadline);
  return entry;
}

Entry* Entry::with_key(Entry* entry, std::string_view key) { return rebuilt(entry, key, entry->deadline()); }

Entry* Entry::with_overwritten(Entry* entry, size_t offset, std::string_view text) {
  IntegerText scratch;
  const std::string_view old = entry->text(scratch);
  const size_t size = std::max(old.size(), offset + text.size());
  const bool fits = entry->encoding() == Encoding::raw && entry->payload_.long_string->capacity >= size;
  LongString* value = entry->encoding() == Encoding::raw ? entry->payload_.long_string : nullptr;
  if (!fits) {
    const size_t ahead = std::min(size, kLongGrowthStepMax);
    value = make_long(old, std::min<size_t>(size + ahead, kStringBytesMax));
  }
  if (offset > value->size) std::memset(value->bytes + value->size, 0, offset - value->size);
  put_bytes(value->bytes + offset, text);
  value->size = size;
  if (fits) return entry;

  entry->release_value();
  if (entry->encoding() != Encoding::raw) {
    // Without an embedded value the entry itself may be smaller.
    const Shape shape{entry->key_size_, entry->has_deadline(), Encoding::raw, 0};
    Entry* fresh = allocate(entry->key(), shape, entry->deadline());
    fresh->access_seconds_ = entry->access_seconds_;
    ::operator delete(entry);
    entry = fresh;
  }
  entry->payload_.long_string = value;
  return entry;
}

}  // namespace chainring::engine
