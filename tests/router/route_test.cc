#include "router/route.h"

#include <map>

#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/slot.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

const std::vector<std::string> kPrefixes = protocol::parse_lock_prefixes("lock:,redlock:");

protocol::Placement placement_by(const std::vector<std::string>& patterns) {
  return protocol::Placement(*protocol::PlacementRules::compile(patterns));
}

Plan plan_of(const std::vector<std::string>& words, const protocol::Placement& placement = {}) {
  const std::vector<std::string_view> args(words.begin(), words.end());
  const protocol::CommandSpec* command = protocol::find_command(args);
  REQUIRE(command != nullptr);
  REQUIRE(protocol::arity_fits(*command, args.size()));
  Plan plan;
  route(*command, args, Placing{kPrefixes, placement}, plan);
  return plan;
}

TEST_CASE("route: placement rules decide after the lock prefixes (R23)") {
  const protocol::Placement placement = placement_by({"(*):**"});
  CHECK(plan_of({"GET", "foo:1"}, placement).place == protocol::slot_of("foo"));
  CHECK(plan_of({"RENAME", "foo:1", "foo:2"}, placement).kind == Plan::Kind::one_place);
  CHECK(plan_of({"RENAME", "foo:1", "foo:2"}).kind == Plan::Kind::refused);
  CHECK(plan_of({"GET", "lock:1"}, placement).place == kLockPlace);
  CHECK(plan_of({"GET", "lock:{x}"}, placement).place == kLockPlace);
}

TEST_CASE("route: one key goes to its slot, a lock key to the lock keyspace") {
  const Plan plan = plan_of({"GET", "foo"});
  CHECK(plan.kind == Plan::Kind::one_place);
  CHECK(plan.place == protocol::slot_of("foo"));
  CHECK(plan_of({"SET", "{foo}.x", "v"}).place == protocol::slot_of("foo"));
  CHECK(plan_of({"SET", "lock:a", "v", "NX"}).place == kLockPlace);
  CHECK(plan_of({"get", "{lock:a}.x"}).place == kLockPlace);
}

TEST_CASE("route: what splits is split by place, each group in the request's order") {
  const Plan plan = plan_of({"MGET", "b", "a", "{b}1", "lock:x", "a"});
  REQUIRE(plan.kind == Plan::Kind::split);
  REQUIRE(plan.keys.size() == 5);
  CHECK(plan.keys.back().place == kLockPlace);
  for (size_t i = 1; i < plan.keys.size(); ++i) {
    const Plan::Key& before = plan.keys[i - 1];
    const Plan::Key& here = plan.keys[i];
    CHECK((before.place < here.place || (before.place == here.place && before.order < here.order)));
  }
}

TEST_CASE("route: a command with more lock keys than one may name is refused before any of it is executed") {
  std::vector<std::string> words = {"DEL", "a", "b"};
  for (size_t i = 0; i < protocol::kLockKeysMax; ++i) words.push_back(concat("lock:", i));
  CHECK(plan_of(words).kind == Plan::Kind::split);
  words.push_back("lock:more");
  CHECK(plan_of(words).refusal == protocol::too_many_lock_keys());
  words.erase(words.begin() + 1, words.begin() + 3);
  CHECK(plan_of(words).refusal == protocol::too_many_lock_keys());
  for (std::string& word : words) word.insert(0, word == "DEL" ? "" : "no-");
  CHECK(plan_of(words).kind == Plan::Kind::split);
}

TEST_CASE("route: a command that could be split but need not be goes as it is") {
  CHECK(plan_of({"MGET", "{t}1", "{t}2"}).kind == Plan::Kind::one_place);
  CHECK(plan_of({"DEL", "lock:a", "lock:b"}).place == kLockPlace);
}

TEST_CASE("route: what does not split and lies in several places is CROSSSLOT") {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"MSETNX", "a", "1", "b", "2"},
                                                                                     {"RENAME", "a", "b"},
                                                                                     {"COPY", "a", "b"},
                                                                                     {"LCS", "a", "b"},
                                                                                     {"RENAME", "lock:a", "a"},
                                                                                     {"COPY", "a", "lock:a"}}) {
    const Plan plan = plan_of(words);
    CHECK(plan.kind == Plan::Kind::refused);
    CHECK(plan.refusal == protocol::errors::kCrossSlot);
  }
  CHECK(plan_of({"RENAME", "lock:a", "lock:b"}).place == kLockPlace);
  CHECK(plan_of({"RENAME", "{t}a", "{t}b"}).kind == Plan::Kind::one_place);
}

TEST_CASE("route: MSET with a key that has no value is refused before it is split") {
  CHECK(plan_of({"MSET", "a", "1", "b"}).refusal == protocol::errors::wrong_arity("mset"));
  CHECK(plan_of({"MSET", "a", "1", "b", "2"}).kind == Plan::Kind::split);
}

TEST_CASE("route: commands without keys go where they are answered") {
  CHECK(plan_of({"DBSIZE"}).kind == Plan::Kind::all_slots);
  CHECK(plan_of({"KEYS", "*"}).kind == Plan::Kind::all_slots);
  CHECK(plan_of({"FLUSHALL"}).kind == Plan::Kind::all_slots);
  CHECK(plan_of({"SCAN", "0"}).kind == Plan::Kind::scan);
  CHECK(plan_of({"INFO"}).kind == Plan::Kind::info);
  CHECK(plan_of({"RING", "STATUS"}).place == kLockPlace);
  CHECK(plan_of({"LOCK", "LIST"}).place == kLockPlace);
}

// ---- against a dumb twin: the same answer, computed key by key from the text of the rules

struct TwinPlan {
  bool refused = false;
  std::map<Place, std::vector<size_t>> keys_of;
};

TwinPlan twin_of(const std::vector<std::string>& keys, bool splits) {
  TwinPlan twin;
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string& key = keys[i];
    std::string tag = key;
    const size_t open = key.find('{');
    if (open != std::string::npos) {
      const size_t close = key.find('}', open + 1);
      if (close != std::string::npos && close > open + 1) tag = key.substr(open + 1, close - open - 1);
    }
    bool is_lock = false;
    for (const std::string prefix : {"lock:", "redlock:"}) {
      is_lock = is_lock || key.substr(0, prefix.size()) == prefix || tag.substr(0, prefix.size()) == prefix;
    }
    twin.keys_of[is_lock ? kLockPlace : static_cast<Place>(protocol::crc16(tag) % kSlotCount)].push_back(i);
  }
  twin.refused = twin.keys_of.size() > 1 && !splits;
  return twin;
}

rc::Gen<std::string> a_key() {
  const auto part = rc::gen::element<std::string>("", "a", "b", "lock:", "redlock:", "{", "}", "{}", "lock", ":", "t");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(part), [](const std::vector<std::string>& parts) {
    std::string key;
    for (const std::string& one : parts) key += one;
    return key;
  });
}

TEST_CASE("route: agrees with a twin that takes the rules word by word") {
  rc::prop("keys of any shape", [] {
    const auto keys = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(a_key()));
    const std::string name =
        *rc::gen::element<std::string>("MGET", "DEL", "EXISTS", "TOUCH", "UNLINK", "MSET", "MSETNX");
    const bool pairs = name.starts_with("MSET");
    std::vector<std::string> words = {name};
    for (const std::string& key : keys) {
      words.push_back(key);
      if (pairs) words.push_back("value");
    }
    const Plan plan = plan_of(words);
    const TwinPlan twin = twin_of(keys, name != "MSETNX");
    if (twin.refused) {
      RC_ASSERT(plan.kind == Plan::Kind::refused);
    } else if (twin.keys_of.size() == 1) {
      RC_ASSERT(plan.kind == Plan::Kind::one_place);
      RC_ASSERT(plan.place == twin.keys_of.begin()->first);
    } else {
      RC_ASSERT(plan.kind == Plan::Kind::split);
      std::map<Place, std::vector<size_t>> found;
      for (const Plan::Key& key : plan.keys) {
        found[key.place].push_back(key.order);
        RC_ASSERT(words[key.argument] == keys[key.order]);
      }
      RC_ASSERT(found == twin.keys_of);
    }
  });
}

TEST_CASE("any_member_answers: reads of keys, but not what is one member's own about them") {
  const auto answers = [](std::vector<std::string_view> words) {
    const protocol::CommandSpec* command = protocol::find_command(words);
    REQUIRE(command != nullptr);
    return any_member_answers(*command);
  };
  for (const std::string_view read : {"get", "mget", "exists", "strlen", "pttl", "type"}) CHECK(answers({read, "k"}));
  for (const std::string_view write : {"set", "getdel", "incr", "expire"}) CHECK_FALSE(answers({write, "k"}));
  for (const std::string_view wide : {"dbsize", "keys", "scan", "randomkey"}) CHECK_FALSE(answers({wide, "k"}));
  CHECK_FALSE(answers({"watch", "k"}));  // its mark is a head's
  CHECK_FALSE(answers({"touch", "k"}));
  CHECK_FALSE(answers({"object", "idletime", "k"}));
  CHECK_FALSE(answers({"object", "encoding", "k"}));
  CHECK_FALSE(answers({"memory", "usage", "k"}));
}

}  // namespace
}  // namespace chainring::router
