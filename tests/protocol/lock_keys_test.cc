#include "protocol/lock_keys.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

const std::vector<std::string> kPrefixes = parse_lock_prefixes("lock:,redlock:");

TEST_CASE("is_lock_key: the key or its hash tag begins with a prefix") {
  CHECK(is_lock_key("lock:a", kPrefixes));
  CHECK(is_lock_key("redlock:a", kPrefixes));
  CHECK(is_lock_key("redlock:", kPrefixes));
  CHECK(is_lock_key("lock:{a}", kPrefixes));
  CHECK(is_lock_key("bull:{lock:a}:x", kPrefixes));
  CHECK(is_lock_key("{lock:a}", kPrefixes));
  CHECK_FALSE(is_lock_key("lock", kPrefixes));
  CHECK_FALSE(is_lock_key("Lock:a", kPrefixes));
  CHECK_FALSE(is_lock_key("a:lock:b", kPrefixes));
  CHECK_FALSE(is_lock_key("{a}lock:b", kPrefixes));
  CHECK_FALSE(is_lock_key("{}lock:", kPrefixes));
  CHECK_FALSE(is_lock_key("", kPrefixes));
  CHECK_FALSE(is_lock_key("lock:a", {}));
}

TEST_CASE("is_lock_key: an empty prefix makes nothing a lock") {
  CHECK(parse_lock_prefixes("").empty());
  CHECK(parse_lock_prefixes(",x:,") == std::vector<std::string>{"x:"});
  CHECK_FALSE(is_lock_key("a", {""}));
}

}  // namespace
}  // namespace chainring::protocol
