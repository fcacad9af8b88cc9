#include "base/fifo.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <string>

#include "base/random.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring {
namespace {

size_t allocated = 0;

template <class T>
struct CountingAllocator {
  using value_type = T;
  T* allocate(size_t items) {
    allocated += items;
    return std::allocator<T>().allocate(items);
  }
  void deallocate(T* at, size_t items) {
    allocated -= items;
    std::allocator<T>().deallocate(at, items);
  }
  friend bool operator==(const CountingAllocator&, const CountingAllocator&) = default;
};

}  // namespace

TEST_CASE("Fifo: does what a deque does") {
  constexpr uint64_t kSeed = 5;
  INFO("seed " << kSeed);
  SeededRandom random(kSeed);
  Fifo<uint64_t> fifo;
  std::deque<uint64_t> model;
  for (uint64_t i = 0; i < 20'000; ++i) {
    const bool growing = (i / 1000) % 2 == 0;  // fill and empty in turn
    if (model.empty() || random.percent(growing ? 70 : 30)) {
      fifo.push_back(i);
      model.push_back(i);
    } else if (random.percent(90)) {
      fifo.pop_front();
      model.pop_front();
    } else {
      const size_t at = random.below(model.size() + 1);
      fifo.insert(at, i);
      model.insert(model.begin() + static_cast<ptrdiff_t>(at), i);
    }
    REQUIRE(fifo.size() == model.size());
    REQUIRE(fifo.empty() == model.empty());
    if (!model.empty()) {
      REQUIRE(fifo.front() == model.front());
      REQUIRE(fifo.back() == model.back());
      const size_t at = random.below(model.size());
      REQUIRE(fifo[at] == model[at]);
    }
    if (i % 500 == 0) REQUIRE(std::equal(fifo.begin(), fifo.end(), model.begin(), model.end()));
  }
}

TEST_CASE("Fifo.pop_front: frees what the item owned at once, strings too") {
  const auto owned = std::make_shared<int>(1);
  Fifo<std::shared_ptr<int>> fifo;
  fifo.push_back(owned);
  fifo.push_back(nullptr);
  fifo.pop_front();
  CHECK(owned.use_count() == 1);
  fifo.clear();
  CHECK(fifo.empty());

  using String = std::basic_string<char, std::char_traits<char>, CountingAllocator<char>>;
  Fifo<String> strings;
  for (int i = 0; i < 3; ++i) strings.push_back(String(10'000, 'x'));
  CHECK(allocated > 30'000);
  strings.pop_front();
  strings.pop_front();
  CHECK(allocated < 10'100);
}

TEST_CASE("Fifo.pop_front: one that has become empty keeps no more room than a few items take (R11)") {
  Fifo<int> fifo;
  const auto pass = [&fifo](size_t items) {
    for (size_t i = 0; i < items; ++i) fifo.push_back(1);
    while (!fifo.empty()) fifo.pop_front();
  };
  pass(10);
  const size_t kept = fifo.capacity();
  CHECK(kept >= 10);
  CHECK(kept <= Fifo<int>::kKeptItemsMax);
  pass(1000);
  CHECK(fifo.capacity() == 0);
}

}  // namespace chainring
