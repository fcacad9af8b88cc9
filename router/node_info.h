// INFO: asks every node for its figures, so that a router's INFO is the cluster's. Figures that do not come within
// kInfoWaitMax are left out: clients ask for INFO to find out whether a server is there at all.
//
// Thread-safety: none.
#pragma once

#include <functional>

#include "router/merge.h"
#include "router/operation.h"

namespace chainring::router {

inline constexpr Micros kInfoWaitMax = 300 * kMicrosPerMilli;

class NodeInfo final : public Operation {
 public:
  // Writes INFO's text for the sections, with these figures.
  using Render = std::function<std::string(const NodeFigures&, std::span<const std::string_view> sections)>;
  NodeInfo(Services& services, const session::ClientRequest& request, Micros deadline, Render render);

  void start(Micros now) override;

 private:
  void call_answered(SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body, Micros now) override;
  void call_lost(SlotsCall& call, Micros now) override;
  void time_passed(Micros now) override;
  [[nodiscard]] Micros next_attempt() const override { return give_up_at_; }

  [[nodiscard]] bool wants(std::string_view section) const;
  void finish_if_complete();
  void finish();

  const std::vector<std::string> sections_;
  const Render render_;
  NodeFigures figures_;
  size_t missing_ = 0;
  Micros give_up_at_ = 0;
};

}  // namespace chainring::router
