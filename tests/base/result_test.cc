#include "base/result.h"

#include <memory>
#include <string>

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring {
namespace {

Result<std::unique_ptr<int>> boxed(int value) {
  if (value < 0) return {ErrorCode::invalid_argument, "negative"};
  return std::make_unique<int>(value);
}

}  // namespace

TEST_CASE("Status: is ok, or has a code and a message") {
  const Status ok;
  CHECK(ok.ok());
  CHECK(static_cast<bool>(ok));
  CHECK(ok.message().empty());
  const Status bad(ErrorCode::corrupt, "the checksum differs");
  CHECK_FALSE(bad.ok());
  CHECK(bad.code() == ErrorCode::corrupt);
  CHECK(bad.message() == "the checksum differs");
}

TEST_CASE("Result: holds a value, or the Status that says why not") {
  Result<std::unique_ptr<int>> good = boxed(3);
  REQUIRE(good.ok());
  CHECK(good.status().ok());
  CHECK(**good == 3);
  CHECK(good->get() == &**good);
  const std::unique_ptr<int> taken = *std::move(good);  // values that can only be moved come out
  CHECK(*taken == 3);

  const Result<std::unique_ptr<int>> bad = boxed(-1);
  CHECK_FALSE(bad.ok());
  CHECK(bad.status().code() == ErrorCode::invalid_argument);
  CHECK(bad.status().message() == "negative");
}

}  // namespace chainring
