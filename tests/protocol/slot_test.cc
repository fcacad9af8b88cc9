#include "protocol/slot.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {

TEST_CASE("crc16: is XMODEM") {
  CHECK(crc16("") == 0);
  CHECK(crc16("123456789") == 0x31c3);  // the check value of the Redis Cluster specification
}

TEST_CASE("slot_of: is what CLUSTER KEYSLOT of Redis says") {
  CHECK(slot_of("foo") == 12182);
  CHECK(slot_of("bar") == 5061);
  CHECK(slot_of("somekey") == 11058);
  CHECK(slot_of("") == 0);
  CHECK(slot_of("foo{hash_tag}") == 2515);
  CHECK(slot_of("{user1000}.following") == slot_of("{user1000}.followers"));
}

TEST_CASE("hash_tag: the first non-empty pair of braces, else the whole key") {
  CHECK(hash_tag("{user}.a") == "user");
  CHECK(hash_tag("a{user}b{other}") == "user");
  CHECK(hash_tag("foo{}{bar}") == "foo{}{bar}");
  CHECK(hash_tag("foo{{bar}}zap") == "{bar");
  CHECK(hash_tag("foo{bar}{zap}") == "bar");
  CHECK(hash_tag("foo{bar") == "foo{bar");
  CHECK(hash_tag("}foo{bar}") == "bar");
  CHECK(hash_tag("") == "");
}

TEST_CASE("key_hash: is the same on every machine") {
  CHECK(key_hash("") == 0x2d06800538d394c2ULL);
  CHECK(key_hash("foo") == 0xab6e5f64077e7d8aULL);
}

}  // namespace chainring::protocol
