// Bytes in and out: the encoding of wire frames, disk records and snapshots.
//
// Fixed-width integers are little-endian. Counts and lengths are LEB128 varints. A struct that travels declares
//   template <class A> void fields(A& a) { a(x, y, z); }
// and is then encoded and decoded in that order by the two archives below; docs/wire.md gives the byte tables.
//
// A decoder never trusts its input: after any overrun it is failed() for good, yields zeros and empty views, and
// never allocates more than the bytes that are there could describe.
// Thread-safety: value types.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace chainring {

class ByteWriter {
 public:
  static constexpr bool kReads = false;
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <class... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }

  void varint(uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  void raw(std::string_view bytes) { out_.append(bytes); }

 private:
  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      out_.push_back(value ? '\1' : '\0');
    } else if constexpr (std::is_enum_v<T>) {
      put(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_integral_v<T>) {
      auto bits = static_cast<std::make_unsigned_t<T>>(value);
      char bytes[sizeof(T)];
      for (size_t i = 0; i < sizeof(T); ++i) {
        bytes[i] = static_cast<char>(bits & 0xff);
        if constexpr (sizeof(T) > 1) bits = static_cast<decltype(bits)>(bits >> 8);
      }
      out_.append(bytes, sizeof(T));
    } else {
      const_cast<T&>(value).fields(*this);  // fields() serves both archives; this one only reads them
    }
  }
  void put(const std::string& text) { put(std::string_view(text)); }
  void put(const std::string_view& text) {
    varint(text.size());
    raw(text);
  }
  template <class T>
  void put(const std::vector<T>& items) {
    varint(items.size());
    for (const T& item : items) put(item);
  }
  template <class T>
  void put(const std::optional<T>& item) {
    put(item.has_value());
    if (item) put(*item);
  }

  std::string& out_;
};

class ByteReader {
 public:
  static constexpr bool kReads = true;
  explicit ByteReader(std::string_view in) : in_(in) {}

  template <class... T>
  void operator()(T&... values) {
    (get(values), ...);
  }

  [[nodiscard]] bool failed() const { return failed_; }
  // Whether everything was read and nothing overran: what a complete message must end with.
  [[nodiscard]] bool complete() const { return !failed_ && in_.empty(); }
  [[nodiscard]] std::string_view rest() const { return in_; }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) break;
      const auto byte = static_cast<uint8_t>(in_.front());
      in_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }
  // Lifetime of the view: that of the bytes given to the constructor.
  std::string_view raw(uint64_t size) {
    if (size > in_.size()) {
      fail();
      return {};
    }
    const std::string_view bytes = in_.substr(0, size);
    in_.remove_prefix(size);
    return bytes;
  }
  void fail() {
    failed_ = true;
    in_ = {};
  }

 private:
  template <class T>
  void get(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      uint8_t byte = 0;
      get(byte);
      if (byte > 1) fail();
      value = byte == 1;
    } else if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> number{};
      get(number);
      value = static_cast<T>(number);  // the receiver judges numbers that it does not know
    } else if constexpr (std::is_integral_v<T>) {
      const std::string_view bytes = raw(sizeof(T));
      std::make_unsigned_t<T> bits = 0;
      for (size_t i = bytes.size(); i-- > 0;) {
        if constexpr (sizeof(T) > 1) bits = static_cast<decltype(bits)>(bits << 8);
        bits = static_cast<decltype(bits)>(bits | static_cast<uint8_t>(bytes[i]));
      }
      value = static_cast<T>(bits);
    } else {
      value.fields(*this);
    }
  }
  void get(std::string& text) {
    std::string_view view;
    get(view);
    text.assign(view);
  }
  void get(std::string_view& text) { text = raw(varint()); }
  template <class T>
  void get(std::vector<T>& items) {
    const uint64_t count = varint();
    items.clear();
    if (count > in_.size()) return fail();  // every element takes at least one byte
    items.reserve(count < 1024 ? count : 1024);
    for (uint64_t i = 0; i < count && !failed_; ++i) get(items.emplace_back());
  }
  template <class T>
  void get(std::optional<T>& item) {
    bool present = false;
    get(present);
    item.reset();
    if (present) get(item.emplace());
  }

  std::string_view in_;
  bool failed_ = false;
};

// The bytes of one struct with fields().
template <class T>
[[nodiscard]] std::string encode(const T& value) {
  std::string out;
  ByteWriter writer(out);
  writer(value);
  return out;
}

// Decodes exactly one T from all of `bytes`; nothing when they are cut short, too long or malformed.
// Views inside T point into `bytes`.
template <class T>
[[nodiscard]] std::optional<T> decode(std::string_view bytes) {
  std::optional<T> value(std::in_place);
  ByteReader reader(bytes);
  reader(*value);
  if (!reader.complete()) value.reset();
  return value;
}

}  // namespace chainring
