#include "router/flush.h"

#include "base/ids.h"
#include "protocol/reply.h"

namespace chainring::router {

void Flush::start(Micros now) {
  while (next_ < kSlotsOut) submit_next(now);
}

void Flush::submit_next(Micros now) {
  const uint32_t slot = next_++;
  submit_leg(slot, static_cast<Place>(slot), Leg::write, bytes_, now);
}

void Flush::leg_ended(uint32_t, Ending ending, std::string_view reply, Micros now) {
  ++ended_;
  const bool done = ending == Ending::replied && !reply.starts_with('-');
  if (done) ++flushed_;
  unknown_ = unknown_ || ending == Ending::unknown;
  if (!done && error_.empty()) error_ = reply;
  if (error_.empty() && next_ < kSlotCount) return submit_next(now);
  if (ended_ == next_) settle();
}

// Some slots are empty now and others are not: nobody is told that it did not run.
void Flush::settle() {
  if (unknown_ || (flushed_ > 0 && flushed_ < kSlotCount)) return answer_error(protocol::errors::kOutcomeUnknown);
  answer(error_.empty() ? std::string_view("+OK\r\n") : error_);
}

// What is out is given up at its own time, of which nobody is told then.
void Flush::time_passed(Micros now) {
  if (now < deadline_) return;
  unknown_ = true;
  settle();
}

}  // namespace chainring::router
