// FLUSHALL and FLUSHDB: a write to every slot, each with a number like any other, so that none runs twice (R20, R22).
// Not atomic. The locks stay.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <string>

#include "router/operation.h"

namespace chainring::router {

class Flush final : public Operation {
 public:
  static constexpr uint32_t kSlotsOut = 1024;  // that are asked at once

  Flush(Services& services, const session::ClientRequest& request, Micros deadline)
      : Operation(services, request, deadline), bytes_(request.bytes) {}

  void start(Micros now) override;
  // A slot that is flushed late would lose what the client has written to it meanwhile.
  [[nodiscard]] bool blocks_client() const override { return true; }

 private:
  void leg_ended(uint32_t leg, Ending ending, std::string_view reply, Micros now) override;
  void time_passed(Micros now) override;
  [[nodiscard]] Micros next_attempt() const override { return deadline_; }
  void submit_next(Micros now);
  void settle();

  const std::string bytes_;
  uint32_t next_ = 0;     // the first slot that has not been asked
  uint32_t ended_ = 0;    // how many have
  uint32_t flushed_ = 0;  // of these
  bool unknown_ = false;  // whether some slot was
  std::string error_;     // the first; nothing more is asked then
};

}  // namespace chainring::router
