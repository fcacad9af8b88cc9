// Runs the fuzz targets over the corpus and over random mutations of it. A target that finds a fault ends the program
// with a CHECK; the same seed comes to the same input again, and tests/fuzz/README.md says how to look for more.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/fuzz/targets.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::fuzz {
namespace {

constexpr uint64_t kSeed = 20240607;
constexpr int kMutations = 200'000;
constexpr size_t kInputBytesMax = 4096;

std::vector<std::string> corpus(const std::string& name) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(CHAINRING_CORPUS "/") + name)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

void mutate(std::string& input, const std::vector<std::string>& seeds, Random& random) {
  const size_t at = random.below(input.size() + 1);
  const size_t length = random.below(std::min<size_t>(input.size() - at, 16) + 1);
  switch (random.below(6)) {
    case 0:
      input.erase(at, length);
      break;
    case 1:
      input.insert(at, input.substr(at, length));
      break;
    case 2:
      input.insert(at, 1, static_cast<char>(random.next()));
      break;
    case 3:
      if (at < input.size()) input[at] ^= static_cast<char>(1u << random.below(8));
      break;
    case 4:
      if (at < input.size()) input[at] = "*$:\r\n-019\"\\ \xff"[random.below(14)];
      break;
    default: {
      const std::string& other = seeds[random.below(seeds.size())];
      input.resize(at);
      input += other.substr(random.below(other.size() + 1));
    }
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
}

// Runs one target over its corpus and kMutations mutations; returns the number of inputs.
size_t run_all(const std::string& name, const std::function<void(std::string_view)>& target) {
  std::cout << name << ": seed " << kSeed << "\n";
  const std::vector<std::string> seeds = corpus(name);
  for (const std::string& seed : seeds) target(seed);
  SeededRandom random(kSeed);
  for (int i = 0; i < kMutations; ++i) {
    std::string input = seeds[random.below(seeds.size())];
    for (uint64_t changes = 1 + random.below(5); changes > 0; --changes) mutate(input, seeds, random);
    target(input);
  }
  return seeds.size() + kMutations;
}

}  // namespace

TEST_CASE("fuzz_resp: holds for the corpus and its mutations") { CHECK(run_all("resp", fuzz_resp) > kMutations); }
TEST_CASE("fuzz_reply: holds for the corpus and its mutations") { CHECK(run_all("reply", fuzz_reply) > kMutations); }
TEST_CASE("fuzz_frame: holds for the corpus and its mutations") { CHECK(run_all("frame", fuzz_frame) > kMutations); }

}  // namespace chainring::fuzz
