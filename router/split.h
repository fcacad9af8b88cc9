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
  Split(Services& services, const session::ClientRequest& request, const Plan& plan, Micros deadline);

  void start(Micros now) override;

 private:
  struct Leg {
    Place place;
    std::string bytes;
  };
  void leg_ended(uint32_t leg, Ending ending, std::string_view reply, Micros now) override;

  const bool write_;
  std::vector<Leg> legs_;  // until start()
  SplitMerge merge_;
};

}  // namespace chainring::router
