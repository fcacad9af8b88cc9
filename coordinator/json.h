// Writes JSON (RFC 8259) into a string. Bytes that are not ASCII are taken for UTF-8 and pass as they are.
//
// Thread-safety: none. The caller keeps begin and end in pairs, and keys inside objects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace chainring::coordinator {

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& end_array() { return close(']'); }

  JsonWriter& key(std::string_view name) {
    text(name);
    out_.push_back(':');
    follows_ = false;
    return *this;
  }
  JsonWriter& text(std::string_view value) {
    separate();
    out_.push_back('"');
    for (const char c : value) append_escaped(c);
    out_.push_back('"');
    return *this;
  }
  JsonWriter& number(int64_t value) {
    separate();
    append_text(out_, value);
    return *this;
  }
  JsonWriter& boolean(bool value) {
    separate();
    out_.append(value ? "true" : "false");
    return *this;
  }
  [[nodiscard]] std::string take() && { return std::move(out_); }

 private:
  JsonWriter& open(char bracket) {
    separate();
    out_.push_back(bracket);
    follows_ = false;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_.push_back(bracket);
    follows_ = true;
    return *this;
  }
  void separate() {
    if (std::exchange(follows_, true)) out_.push_back(',');
  }
  void append_escaped(char c) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_.push_back('\\');
      out_.push_back(c);
    } else if (byte < 0x20) {
      append_text(out_, "\\u00", kHex[byte >> 4], kHex[byte & 15]);
    } else {
      out_.push_back(c);
    }
  }

  std::string out_;
  bool follows_ = false;  // a value stands before, in the same array or object
};

}  // namespace chainring::coordinator
