// Errors as values. No exception crosses a folder.
//
// Thread-safety: value types, as safe as a std::string.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace chainring {

// What a caller can do about an error; the message is for people and says what to do next.
enum class ErrorCode {
  invalid_argument,  // the caller or the operator gave something wrong
  not_found,
  already_exists,
  permission_denied,
  resource_exhausted,  // a limit was reached
  unavailable,         // may work later
  outcome_unknown,     // a time-out: it may have happened, may happen yet, or never will
  corrupt,             // stored or received bytes are not what they must be
  io_error,            // the disk or the network refused
};

class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(ErrorCode code, std::string message) : error_(Error{code, std::move(message)}) {}

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }

  // REQUIRES: !ok().
  [[nodiscard]] ErrorCode code() const {
    CHECK(!ok(), "an ok Status has no code");
    return error_->code;
  }
  // Empty when ok().
  [[nodiscard]] std::string_view message() const { return ok() ? std::string_view() : error_->message; }

 private:
  struct Error {
    ErrorCode code;
    std::string message;
  };
  std::optional<Error> error_;
};

// A T, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit by design
    CHECK(!status_.ok(), "a Result without a value needs an error");
  }
  Result(ErrorCode code, std::string message) : status_(code, std::move(message)) {}

  [[nodiscard]] bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Status& status() const { return status_; }

  // REQUIRES: ok().
  T& operator*() & {
    CHECK(ok(), "value() of a failed Result");
    return *value_;
  }
  const T& operator*() const& {
    CHECK(ok(), "value() of a failed Result");
    return *value_;
  }
  T&& operator*() && {
    CHECK(ok(), "value() of a failed Result");
    return *std::move(value_);
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace chainring
