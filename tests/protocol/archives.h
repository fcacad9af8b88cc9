// Archives over fields() (base/bytes.h) that tests use: they visit every field of every message without being told.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/random.h"
#include "base/text.h"

namespace chainring::protocol::testing {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

// Gives each field a value of its own: 1, 2, 3 ... texts "t4", lists of two. A golden file of such a message shows
// every change of order, width or type.
class Numbering {
 public:
  template <class... T>
  void operator()(T&... values) {
    (fill(values), ...);
  }

 private:
  template <class T>
  void fill(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = true;
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(next_++);
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(next_++);
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
      static const std::string kText = "abcdefghijklmnopqrstuvwxyz";
      value = std::string_view(kText).substr(next_++ % 20, 3);
    } else if constexpr (IsVector<T>::value) {
      value.resize(2);
      for (auto& item : value) fill(item);
    } else {
      value.fields(*this);
    }
  }
  uint64_t next_ = 1;
};

// Gives each field a random value; small, extreme and arbitrary ones are equally frequent.
class Randomizing {
 public:
  explicit Randomizing(Random& random) : random_(random) {}
  template <class... T>
  void operator()(T&... values) {
    (fill(values), ...);
  }

 private:
  template <class T>
  void fill(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = random_.percent(50);
    } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
      value = static_cast<T>(number());
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
      static const std::string kText(300, 'x');
      value = std::string_view(kText).substr(0, random_.below(3) == 0 ? random_.below(300) : random_.below(5));
    } else if constexpr (IsVector<T>::value) {
      value.resize(random_.below(4));
      for (auto& item : value) fill(item);
    } else {
      value.fields(*this);
    }
  }
  uint64_t number() {
    switch (random_.below(3)) {
      case 0:
        return random_.below(3);
      case 1:
        return ~random_.below(3);
      default:
        return random_.next();
    }
  }
  Random& random_;
};

// Says of what type each field is, in the words of docs/wire.md.
class Describing {
 public:
  template <class... T>
  void operator()(T&... values) {
    (types_.push_back(describe(values)), ...);
  }
  [[nodiscard]] const std::vector<std::string>& types() const { return types_; }

 private:
  template <class T>
  static std::string describe(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      return "bool";
    } else if constexpr (std::is_enum_v<T>) {
      auto number = static_cast<std::underlying_type_t<T>>(value);
      return describe(number);
    } else if constexpr (std::is_integral_v<T>) {
      return concat(std::is_signed_v<T> ? "i" : "u", 8 * sizeof(T));
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
      return "bytes";
    } else if constexpr (IsVector<T>::value) {
      typename T::value_type item{};
      return concat("list of ", describe(item));
    } else {
      return "struct";
    }
  }
  std::vector<std::string> types_;
};

}  // namespace chainring::protocol::testing
