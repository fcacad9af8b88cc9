// A stand-in for the coordinators' ring: answers RING as they do, for a cluster that `up` runs in a directory. Nodes
// that it runs at the first question are in the ring. A node has registered when its process runs and has come through
// its start, of which a file among its data tells. A change goes on by one step each time somebody asks how far it is,
// so tests see every stage and wait for nothing.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace chainring::cli {

class FakeRing {
 public:
  // `cluster` is the directory of `up`.
  explicit FakeRing(std::string cluster) : cluster_(std::move(cluster)) {}

  // The reply in RESP to these words, the first of which is RING.
  [[nodiscard]] std::string answer(std::span<const std::string_view> words);

 private:
  static constexpr int kSlotsOfAMove = 100, kSlotsOfAStep = 20;

  [[nodiscard]] std::set<std::string> nodes_with(std::string_view file) const;  // in their directories
  [[nodiscard]] std::set<std::string> registered() const;
  [[nodiscard]] std::string status();
  [[nodiscard]] std::string reshard();
  [[nodiscard]] std::string begin(std::span<const std::string_view> words);
  [[nodiscard]] std::string plan(std::span<const std::string_view> words) const;
  void step();

  const std::string cluster_;
  std::map<std::string, int> weights_;  // of the nodes in the ring; empty until the first question
  int copies_ = 3;
  std::string change_;  // under way
  int left_ = 0;
  bool paused_ = false;
  bool undoing_ = false;
};

}  // namespace chainring::cli
