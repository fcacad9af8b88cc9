#include "tests/sim/calls.h"

#include <algorithm>

#include "base/text.h"
#include "protocol/slot.h"

namespace chainring::sim {
namespace {

using Kind = Operation::Kind;

constexpr size_t kLookedBack = 20;  // operations
constexpr Millis kTtlLeast = 800;
constexpr Millis kTtlMost = 2500;
constexpr std::string_view kAbsent = "nothing";

const std::vector<std::string> kStrings = {"key1", "key2", "key4", "key5"};
const std::vector<std::string> kCounters = {"count0", "count3"};
const std::vector<std::string> kTotals = {"total"};
const std::vector<std::string> kOrdered = {"{order}first", "{order}second"};
const std::vector<std::string> kTransient = {"brief0", "brief1"};
const std::vector<std::string> kRuled = {"bull:queue:a", "bull:queue:b"};
const std::vector<std::string> kPairs = {"pair0", "pair1"};
const std::vector<std::string> kLockStrings = {"lock:plain"};
constexpr std::string_view kLockPrefix = "lock:";

bool is_one_of(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

std::vector<std::string> joined(std::initializer_list<const std::vector<std::string>*> kinds) {
  std::vector<std::string> keys;
  for (const auto* kind : kinds) keys.insert(keys.end(), kind->begin(), kind->end());
  return keys;
}

struct Chance {
  uint64_t percent;
  Kind kind;
};

Kind draw_of(Random& random, std::initializer_list<Chance> chances) {
  uint64_t drawn = random.below(100);
  for (const Chance& chance : chances) {
    if (drawn < chance.percent) return chance.kind;
    drawn -= chance.percent;
  }
  return Kind::get;
}

}  // namespace

std::vector<std::string> string_keys() { return kStrings; }
std::vector<std::string> counted_keys() { return joined({&kTotals, &kPairs, &kOrdered}); }
std::vector<std::string> ordered_keys() { return kOrdered; }
std::vector<std::string> lock_strings() { return kLockStrings; }
std::vector<std::string> pairs() { return kPairs; }
std::string draw_pair(Random& random) { return kPairs[random.below(kPairs.size())]; }

std::vector<std::string> data_keys() { return joined({&kStrings, &kCounters, &kTotals, &kTransient, &kRuled}); }

std::vector<Slot> slots_in_use() {
  std::vector<Slot> slots;
  for (const std::string& key : data_keys()) slots.push_back(protocol::slot_of(key));
  for (const std::string& pair : kPairs) slots.push_back(protocol::slot_of(pair));
  slots.push_back(protocol::slot_of(kOrdered.front()));
  slots.push_back(protocol::slot_of_tag(kPlacementTag));
  return slots;
}

std::vector<Loss> losses_of(const std::string& key, const Notebook& notebook) {
  if (key.starts_with(kLockPrefix)) return notebook.lost_locks;
  std::vector<Loss> losses;
  for (const SlotLoss& lost : notebook.lost_slots) {
    // Where a ruled key was is the rules' to say, so it may have been lost with either slot.
    const bool ruled = is_one_of(kRuled, key);
    const bool with_rule = ruled && lost.slots.test(protocol::slot_of_tag(kPlacementTag));
    if (!lost.slots.test(protocol::slot_of(key)) && !with_rule) continue;
    Loss loss = lost.when;
    if (ruled) loss.certain = false;
    losses.push_back(loss);
  }
  return losses;
}

Calls::Calls(size_t client, Notebook& notebook, const Micros& world_time, Random& random)
    : client_(client), notebook_(notebook), world_time_(world_time), random_(random) {}

Operation Calls::draw() {
  if (random_.percent(10)) return draw_for(kLockStrings[random_.below(kLockStrings.size())]);
  static const std::vector<std::string> keys = data_keys();
  return draw_for(keys[random_.below(keys.size())]);
}

Operation Calls::draw_for(const std::string& key) { return make(draw_kind(key), key); }

Kind Calls::draw_kind(const std::string& key) {
  if (is_one_of(kCounters, key)) return draw_of(random_, {{60, Kind::incr}, {10, Kind::getdel}});
  if (is_one_of(kTotals, key)) return draw_of(random_, {{80, Kind::incr}});
  if (is_one_of(kTransient, key)) {
    return draw_of(random_, {{25, Kind::set_px}, {10, Kind::pexpire}, {8, Kind::set}, {7, Kind::getdel}});
  }
  // They are gone often, so that the rule can be changed at times.
  if (is_one_of(kRuled, key)) return draw_of(random_, {{15, Kind::set_nx}, {55, Kind::del}});
  if (is_one_of(kLockStrings, key)) {
    return draw_of(random_, {{40, Kind::set_nx}, {25, Kind::del}, {10, Kind::set_ifeq}});
  }
  return draw_of(random_,
                 {{35, Kind::set}, {10, Kind::set_nx}, {10, Kind::set_ifeq}, {10, Kind::getdel}, {5, Kind::del}});
}

Operation Calls::make(Kind kind, std::string key) {
  Operation operation;
  operation.client = client_;
  operation.place = notebook_.calls++;
  operation.kind = kind;
  operation.argument = concat("v", client_, ".", operation.place);
  operation.called = world_time_;
  if (kind == Kind::set_ifeq) operation.compare = lately_written(key);
  if (kind == Kind::set_px || kind == Kind::pexpire) {
    const Millis ttl = kTtlLeast + static_cast<Millis>(random_.below(kTtlMost - kTtlLeast));
    operation.ttl_least = ttl * kMicrosPerMilli - kExpirySkew;
    operation.ttl_most = ttl * kMicrosPerMilli + kExpirySkew;
  }
  operation.key = std::move(key);
  return operation;
}

// By anybody, and perhaps still there.
std::string Calls::lately_written(const std::string& key) const {
  const std::vector<Operation>& operations = notebook_.operations;
  const auto end = operations.rbegin() + static_cast<std::ptrdiff_t>(std::min(kLookedBack, operations.size()));
  const auto last = std::find_if(operations.rbegin(), end, [&](const Operation& other) {
    return other.key == key && (other.kind == Kind::set || other.kind == Kind::set_nx);
  });
  return last == end ? std::string(kAbsent) : last->argument;
}

std::vector<std::string> Calls::words(const Operation& operation) {
  const std::string ttl = concat((operation.ttl_most - kExpirySkew) / kMicrosPerMilli);
  switch (operation.kind) {
    case Kind::set:
      return {"SET", operation.key, operation.argument};
    case Kind::get:
      return {"GET", operation.key};
    case Kind::incr:
      return {"INCR", operation.key};
    case Kind::getdel:
      return {"GETDEL", operation.key};
    case Kind::del:
      return {"DEL", operation.key};
    case Kind::set_nx:
      return {"SET", operation.key, operation.argument, "NX"};
    case Kind::set_ifeq:
      return {"SET", operation.key, operation.argument, "IFEQ", operation.compare};
    case Kind::set_px:
      return {"SET", operation.key, operation.argument, "PX", ttl};
    case Kind::pexpire:
      return {"PEXPIRE", operation.key, ttl};
    case Kind::loss:
      break;  // nobody calls it
  }
  return {};
}

size_t Calls::note(Operation operation) {
  notebook_.operations.push_back(std::move(operation));
  return notebook_.operations.size() - 1;
}

bool Calls::take(Operation& operation, const protocol::ReplyValue& reply) {
  using Reply = protocol::ReplyValue::Kind;
  if (reply.kind == Reply::error) return false;
  operation.outcome = Operation::Outcome::returned;
  operation.returned = world_time_;
  const bool null = reply.kind == Reply::null;
  switch (operation.kind) {
    case Kind::get:
    case Kind::getdel:
      if (!null) operation.result = reply.text;
      break;
    case Kind::incr:
    case Kind::del:
    case Kind::pexpire:
      operation.result = concat(reply.integer);
      break;
    case Kind::set_nx:
    case Kind::set_ifeq:
      operation.result = null ? "0" : "1";
      break;
    case Kind::set:
    case Kind::set_px:
    case Kind::loss:
      break;
  }
  return true;
}

}  // namespace chainring::sim
