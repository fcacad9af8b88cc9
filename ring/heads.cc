#include "ring/heads.h"

#include <algorithm>
#include <span>

#include "base/check.h"
#include "ring/balance.h"

namespace chainring::ring {
namespace {

class Heads final : public Assignment {
 public:
  Heads(const Groups& groups, const std::vector<Share>& shares, const std::vector<bool>& settled,
        std::vector<Places>& chains)
      : groups_(groups),
        shares_(shares),
        settled_(settled),
        chains_(chains),
        is_open_(chains.size()),
        loads_(shares.size()) {
    for (uint32_t slot = 0; slot < chains.size(); ++slot) {
      is_open_[slot] = !settled[slot];
      if (settled[slot] && !chains[slot].empty()) ++loads_[chains[slot].front()];
    }
  }

  [[nodiscard]] const Groups& groups() const override { return groups_; }
  [[nodiscard]] const std::vector<Share>& shares() const override { return shares_; }
  [[nodiscard]] const std::vector<uint32_t>& loads() const override { return loads_; }
  [[nodiscard]] std::span<const uint32_t> bearers(uint32_t slot) const override {
    return std::span<const uint32_t>(chains_[slot]).first(is_open_[slot] ? 0 : 1);
  }
  [[nodiscard]] bool is_open(uint32_t slot) const override { return is_open_[slot]; }
  [[nodiscard]] std::span<const uint32_t> takers(uint32_t slot) const override { return chains_[slot]; }
  [[nodiscard]] bool can_replace(uint32_t slot, uint32_t giver, uint32_t taker) const override {
    const Places& chain = chains_[slot];
    const uint32_t head = is_open_[slot] ? kNobody : chain.front();
    return head == giver && taker != giver && std::find(chain.begin(), chain.end(), taker) != chain.end();
  }
  void replace(uint32_t slot, uint32_t giver, uint32_t taker) override {
    if (giver != kNobody) --loads_[giver];
    ++loads_[taker];
    is_open_[slot] = false;
    chains_[slot] = led_by(slot, taker);
  }
  [[nodiscard]] bool alike(uint32_t slot, uint32_t other) const override {
    return is_open_[slot] == is_open_[other] && settled_[slot] == settled_[other] && chains_[slot] == chains_[other];
  }
  [[nodiscard]] bool would_join(uint32_t slot, uint32_t, uint32_t taker, uint32_t neighbour) const override {
    return !is_open_[neighbour] && led_by(slot, taker) == chains_[neighbour];
  }
  [[nodiscard]] bool is_new(uint32_t slot, uint32_t) const override { return !settled_[slot]; }

 private:
  [[nodiscard]] Places led_by(uint32_t slot, uint32_t head) const {
    Places chain = chains_[slot];
    std::sort(chain.begin(), chain.end(), [&](uint32_t a, uint32_t b) {
      if ((a == head) != (b == head)) return a == head;
      return groups_.rank(slot, a) < groups_.rank(slot, b);
    });
    return chain;
  }

  const Groups& groups_;
  const std::vector<Share>& shares_;
  const std::vector<bool>& settled_;
  std::vector<Places>& chains_;
  std::vector<bool> is_open_;
  std::vector<uint32_t> loads_;  // slots that each member heads
};

}  // namespace

void balance_heads(const Groups& groups, const std::vector<Share>& shares, const std::vector<bool>& settled,
                   std::vector<Places>& chains) {
  CHECK(chains.size() == settled.size(), "each chain is settled or not");
  Heads heads(groups, shares, settled, chains);
  fill(heads);
  balance(heads);
}

}  // namespace chainring::ring
