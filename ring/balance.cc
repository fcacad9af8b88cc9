#include "ring/balance.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "ring/shift.h"

namespace chainring::ring {
namespace {

// Slots of one group that are alike.
struct Run {
  uint32_t first;
  uint32_t end;
  [[nodiscard]] uint32_t size() const { return end - first; }
};

// What may move: the most welcome first.
enum class Piece { joining_run, whole_run, part };
constexpr std::array kPieces = {Piece::joining_run, Piece::whole_run, Piece::part};

// How far a taker may be filled.
enum class Room { if_below_bounds, to_fair_share, to_bounds };
constexpr std::array kRooms = {Room::if_below_bounds, Room::to_fair_share, Room::to_bounds};

class Balancer {
 public:
  explicit Balancer(Assignment& assignment)
      : assignment_(assignment),
        groups_(assignment.groups()),
        shares_(assignment.shares()),
        loads_(assignment.loads()),
        runs_(groups_.count()) {}

  void fill();
  void lower(uint32_t member);
  void raise(uint32_t member);

 private:
  // The runs of these groups, one after the other, also when a visit has changed the slots of its run.
  template <class Visit>  // (const Run&) -> bool: whether to go on
  void for_each_run(const std::vector<uint32_t>& groups, Visit visit);
  const std::vector<Run>& runs(uint32_t group);

  [[nodiscard]] bool joins(const Run& run, uint32_t giver, uint32_t taker) const;
  [[nodiscard]] bool joins_left(const Run& run, uint32_t giver, uint32_t taker) const;
  [[nodiscard]] bool joins_right(const Run& run, uint32_t giver, uint32_t taker) const;
  [[nodiscard]] uint32_t room(uint32_t member, Room limit) const;
  [[nodiscard]] std::optional<uint32_t> find_taker(const Run& run, uint32_t giver, Room limit, uint32_t needed,
                                                   bool joining) const;
  [[nodiscard]] std::optional<uint32_t> roomiest(const Run& run) const;
  [[nodiscard]] std::optional<uint32_t> least_loaded(const Run& run) const;
  void fill_some(Run run);  // by value: runs() changes
  void give(const Run& run, uint32_t giver, Piece piece);
  void take(const Run& run, uint32_t taker, Piece piece, bool only_new);
  [[nodiscard]] bool bears(uint32_t slot, uint32_t member) const;
  void replace(Run run, uint32_t giver, uint32_t taker);
  void replace_part(const Run& run, uint32_t giver, uint32_t taker, uint32_t size);

  [[nodiscard]] bool is_below(uint32_t member) const { return loads_[member] < shares_[member].least; }
  [[nodiscard]] uint32_t above(uint32_t member, uint32_t limit) const {
    return loads_[member] - std::min(limit, loads_[member]);
  }

  Assignment& assignment_;
  const Groups& groups_;
  const std::vector<Share>& shares_;
  const std::vector<uint32_t>& loads_;
  std::vector<std::vector<Run>> runs_;  // by group; empty when they have to be found again
};

const std::vector<Run>& Balancer::runs(uint32_t group) {
  std::vector<Run>& runs = runs_[group];
  if (!runs.empty()) return runs;
  const uint32_t end = groups_.end_slot(group);
  for (uint32_t slot = groups_.first_slot(group); slot < end; slot = runs.back().end) {
    Run run{slot, slot + 1};
    while (run.end < end && assignment_.alike(slot, run.end)) ++run.end;
    runs.push_back(run);
  }
  return runs;
}

template <class Visit>
void Balancer::for_each_run(const std::vector<uint32_t>& groups, Visit visit) {
  for (const uint32_t group : groups) {
    uint32_t slot = groups_.first_slot(group);
    for (size_t i = 0; i < runs(group).size();) {
      Run run = runs(group)[i++];
      if (run.end <= slot) continue;  // visited, and joined to its neighbour since
      run.first = std::max(run.first, slot);
      slot = run.end;
      if (!visit(run)) return;
      if (runs_[group].empty()) i = 0;  // it changed something
    }
  }
}

bool Balancer::bears(uint32_t slot, uint32_t member) const {
  const std::span<const uint32_t> bearers = assignment_.bearers(slot);
  return std::find(bearers.begin(), bearers.end(), member) != bearers.end();
}

bool Balancer::joins_left(const Run& run, uint32_t giver, uint32_t taker) const {
  return run.first > groups_.first_slot(groups_.of(run.first)) &&
         assignment_.would_join(run.first, giver, taker, run.first - 1);
}

bool Balancer::joins_right(const Run& run, uint32_t giver, uint32_t taker) const {
  return run.end < groups_.end_slot(groups_.of(run.first)) && assignment_.would_join(run.first, giver, taker, run.end);
}

bool Balancer::joins(const Run& run, uint32_t giver, uint32_t taker) const {
  return joins_left(run, giver, taker) || joins_right(run, giver, taker);
}

void Balancer::replace(Run run, uint32_t giver, uint32_t taker) {
  for (uint32_t slot = run.first; slot < run.end; ++slot) assignment_.replace(slot, giver, taker);
  runs_[groups_.of(run.first)].clear();
}

// At the end that joins a neighbour, if there is one.
void Balancer::replace_part(const Run& run, uint32_t giver, uint32_t taker, uint32_t size) {
  Run part{run.first, run.first + size};
  if (size < run.size() && !joins_left(run, giver, taker) && joins_right(run, giver, taker)) {
    part = {run.end - size, run.end};
  }
  replace(part, giver, taker);
}

uint32_t Balancer::room(uint32_t member, Room limit) const {
  if (limit == Room::if_below_bounds && !is_below(member)) return 0;
  const Share& share = shares_[member];
  const uint32_t most = limit == Room::to_bounds ? share.greatest : share.fair_ceil;
  return most - std::min(most, loads_[member]);
}

// Only who is in a neighbour's chain can join it.
std::optional<uint32_t> Balancer::find_taker(const Run& run, uint32_t giver, Room limit, uint32_t needed,
                                             bool joining) const {
  const auto fits = [&](uint32_t member) {
    return room(member, limit) >= needed && assignment_.can_replace(run.first, giver, member) &&
           (!joining || joins(run, giver, member));
  };
  const auto search = [&](std::span<const uint32_t> members) -> std::optional<uint32_t> {
    const auto found = std::find_if(members.begin(), members.end(), fits);
    return found == members.end() ? std::nullopt : std::optional(*found);
  };
  if (!joining) return search(assignment_.takers(run.first));
  const uint32_t group = groups_.of(run.first);
  std::optional<uint32_t> taker;
  if (run.first > groups_.first_slot(group)) taker = search(assignment_.bearers(run.first - 1));
  if (!taker && run.end < groups_.end_slot(group)) taker = search(assignment_.bearers(run.end));
  return taker;
}

// Who can take the most of it within bounds.
std::optional<uint32_t> Balancer::roomiest(const Run& run) const {
  std::optional<uint32_t> best;
  uint32_t most = 0;
  for (const uint32_t member : assignment_.takers(run.first)) {
    const uint32_t has = room(member, Room::to_bounds);
    if (has <= most || !assignment_.can_replace(run.first, kNobody, member)) continue;
    most = has;
    best = member;
  }
  return best;
}

std::optional<uint32_t> Balancer::least_loaded(const Run& run) const {
  std::optional<uint32_t> best;
  const auto surplus = [&](uint32_t member) { return int64_t{loads_[member]} - int64_t{shares_[member].fair_ceil}; };
  for (const uint32_t member : assignment_.takers(run.first)) {
    if (best && surplus(member) >= surplus(*best)) continue;
    if (assignment_.can_replace(run.first, kNobody, member)) best = member;
  }
  return best;
}

// One more member for the run, or for its first slots.
void Balancer::fill_some(Run run) {
  for (const Room limit : kRooms) {
    for (const bool joining : {true, false}) {
      if (const auto taker = find_taker(run, kNobody, limit, run.size(), joining)) {
        return replace(run, kNobody, *taker);
      }
    }
  }
  if (const std::optional<uint32_t> taker = roomiest(run)) {
    return replace({run.first, run.first + room(*taker, Room::to_bounds)}, kNobody, *taker);
  }
  const std::optional<uint32_t> taker = least_loaded(run);
  CHECK(taker.has_value(), "a chain that its domains allow can be completed");
  replace(run, kNobody, *taker);
}

void Balancer::fill() {
  const auto is_open = [&](const Run& run) { return assignment_.is_open(run.first); };
  for (uint32_t group = 0; group < groups_.count(); ++group) {
    while (true) {
      const std::vector<Run>& all = runs(group);
      const auto open = std::find_if(all.begin(), all.end(), is_open);
      if (open == all.end()) break;
      fill_some(*open);
    }
  }
}

// Those below their bounds are given more than has to go, since they would take it anyway.
void Balancer::give(const Run& run, uint32_t giver, Piece piece) {
  for (const Room limit : kRooms) {
    const uint32_t keeps = limit == Room::if_below_bounds ? shares_[giver].fair_floor : shares_[giver].greatest;
    const uint32_t may_go = above(giver, keeps);
    const bool is_part = piece == Piece::part;
    if (may_go == 0 || (!is_part && run.size() > may_go)) continue;
    const std::optional<uint32_t> taker =
        find_taker(run, giver, limit, is_part ? 1 : run.size(), piece == Piece::joining_run);
    if (!taker) continue;
    replace_part(run, giver, *taker, std::min({run.size(), may_go, room(*taker, limit)}));
    return;
  }
}

// From the slots that prefer it least.
void Balancer::lower(uint32_t member) {
  std::vector<uint32_t> groups = groups_.by_rank(member);
  std::reverse(groups.begin(), groups.end());
  for (const bool only_new : {true, false}) {
    for (const Piece piece : kPieces) {
      for_each_run(groups, [&](const Run& run) {
        if (loads_[member] <= shares_[member].greatest) return false;
        if (bears(run.first, member) && (!only_new || assignment_.is_new(run.first, member))) give(run, member, piece);
        return true;
      });
    }
  }
}

void Balancer::take(const Run& run, uint32_t taker, Piece piece, bool only_new) {
  const uint32_t needed = shares_[taker].fair_ceil - std::min(shares_[taker].fair_ceil, loads_[taker]);
  const bool is_part = piece == Piece::part;
  if (needed == 0 || (!is_part && run.size() > needed)) return;
  std::optional<uint32_t> best;
  for (const uint32_t giver : assignment_.bearers(run.first)) {
    const uint32_t spare = above(giver, shares_[giver].least);
    if (spare < (is_part ? 1 : run.size()) || (best && spare <= above(*best, shares_[*best].least))) continue;
    if (only_new && !assignment_.is_new(run.first, giver)) continue;
    if (!assignment_.can_replace(run.first, giver, taker)) continue;
    if (piece == Piece::joining_run && !joins(run, giver, taker)) continue;
    best = giver;
  }
  if (!best) return;
  replace_part(run, *best, taker, std::min({run.size(), needed, above(*best, shares_[*best].least)}));
}

// By the slots that prefer it most.
void Balancer::raise(uint32_t member) {
  const std::vector<uint32_t> groups = groups_.by_rank(member);
  for (const bool only_new : {true, false}) {
    for (const Piece piece : kPieces) {
      for_each_run(groups, [&](const Run& run) {
        if (!is_below(member)) return false;
        take(run, member, piece, only_new);
        return true;
      });
    }
  }
}

}  // namespace

void fill(Assignment& assignment) { Balancer(assignment).fill(); }

void balance(Assignment& assignment) {
  Balancer balancer(assignment);
  const std::vector<Share>& shares = assignment.shares();
  const std::vector<uint32_t>& loads = assignment.loads();
  for (uint32_t member = 0; member < loads.size(); ++member) {
    if (loads[member] > shares[member].greatest) balancer.lower(member);
  }
  for (uint32_t member = 0; member < loads.size(); ++member) {
    if (loads[member] < shares[member].least) balancer.raise(member);
  }
  shift_into_bounds(assignment);
}

}  // namespace chainring::ring
