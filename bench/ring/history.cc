#include "bench/ring/history.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/text.h"

namespace chainring::ring {
namespace {

constexpr uint32_t kZones = 4;
constexpr uint32_t kWeightLeast = 50;
constexpr uint32_t kWeightMost = 400;
constexpr uint32_t kRestartPercent = 20;
constexpr uint32_t kWeightChangePercent = 25;

}  // namespace

History::History(HistoryShape shape, Random& random)
    : shape_(shape),
      random_(random),
      least_(shape.members - std::min(shape.members - 1, std::max(1u, shape.members / 5))),
      most_(shape.members + std::max(1u, shape.members / 5)),
      host_count_(std::max(1u, shape.members / 2)) {
  CHECK(shape.members > 0, "a history begins with a member");
  while (members_.size() < shape_.members) join();
}

void History::change() {
  const auto victim = static_cast<size_t>(random_.below(members_.size()));
  if (random_.percent(kRestartPercent)) {
    members_[victim].id = ++last_id_;
  } else if (shape_.weighted && random_.percent(kWeightChangePercent)) {
    members_[victim].weight = any_weight();
  } else if (members_.size() <= least_ || (members_.size() < most_ && random_.percent(50))) {
    join();
  } else {
    leave(victim);
  }
}

void History::join() {
  Candidate member;
  member.id = ++last_id_;
  member.name = concat("node", ++last_name_);
  const auto host = static_cast<uint32_t>(shape_.in_domains ? random_.below(host_count_) : last_name_);
  member.host = concat("host", host);
  if (shape_.in_domains) member.zone = concat("zone", host % kZones);
  if (shape_.weighted) member.weight = any_weight();
  const auto place = std::lower_bound(members_.begin(), members_.end(), member,
                                      [](const Candidate& a, const Candidate& b) { return a.name < b.name; });
  members_.insert(place, std::move(member));
}

uint32_t History::any_weight() {
  return kWeightLeast + static_cast<uint32_t>(random_.below(kWeightMost - kWeightLeast + 1));
}

}  // namespace chainring::ring
