// The fuzz target of effects, over what random commands leave behind and mutations of it.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/engine/session.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);  // effects_fuzz.cc

namespace chainring::engine {
namespace {

constexpr uint64_t kSeed = 20240608;
constexpr int kMutations = 30'000;
constexpr size_t kInputBytesMax = 512;

bool survives(const std::string& input) {
  return LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size()) == 0;
}

// One of each effect there is, in an order that fits.
std::vector<std::string> real_effects() {
  Session session;
  std::vector<std::string> all{""};
  for (const std::string_view line : {"set {a}1 5", "set {a}1 word px 7", "append {a}1 more", "setrange {a}1 2 xyz",
                                      "rename {a}1 {a}2", "copy {a}2 {a}3 db 2", "pexpire {a}2 30", "persist {a}2",
                                      "del {a}2", "set {a}4 v ex 1", "flushdb", "set {a}5 1", "flushall"}) {
    session.Line(line);
    all.front() += session.effects.slots()[0].bytes;
    all.push_back(session.effects.slots()[0].bytes);
  }
  return all;
}

void mutate(std::string& input, const std::vector<std::string>& seeds, Random& random) {
  const size_t at = random.below(input.size() + 1);
  const size_t length = random.below(std::min<size_t>(input.size() - at, 12) + 1);
  switch (random.below(5)) {
    case 0:
      input.erase(at, length);
      break;
    case 1:
      input.insert(at, 1, static_cast<char>(random.next()));
      break;
    case 2:
      if (at < input.size()) input[at] ^= static_cast<char>(1u << random.below(8));
      break;
    default:  // whole effects one behind another reach deepest
      input += seeds[random.below(seeds.size())];
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
}

TEST_CASE("effects of any bytes are applied or refused, alike on all members") {
  INFO("seed " << kSeed);
  const std::vector<std::string> seeds = real_effects();
  for (const std::string& seed : seeds) CHECK(survives(seed));
  SeededRandom random(kSeed);
  for (int i = 0; i < kMutations; ++i) {
    std::string input = seeds[random.below(seeds.size())];
    for (uint64_t changes = 1 + random.below(6); changes > 0; --changes) mutate(input, seeds, random);
    REQUIRE(survives(input));
  }
}

}  // namespace
}  // namespace chainring::engine
