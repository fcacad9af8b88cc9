// A command whose keys are in several places, asked place by place: MGET MSET DEL UNLINK EXISTS TOUCH. Not atomic.
//
// Thread-safety: none.
#pragma once

#include "router/merge.h"
#include "router/operation.h"

namespace chainring::router {

class Split final : public Operation {
 public:
  // REQUIRES: plan.kind is split; request.command is one that splits. Both may go after the constructor.
  // `reads_roam`: its reads may go to any member.
  Split(Services& services, const session::ClientRequest& request, const Plan& plan, Micros deadline, bool reads_roam);

  void start(Micros now) override;

 private:
  struct Part {
    Place place;
    std::string bytes;
  };
  void leg_ended(uint32_t leg, Ending ending, std::string_view reply, Micros now) override;

  [[nodiscard]] static Leg kind_of(const protocol::CommandSpec& command, bool reads_roam);

  const Leg kind_;
  std::vector<Part> parts_;  // one for each leg, until start()
  SplitMerge merge_;
};

}  // namespace chainring::router
