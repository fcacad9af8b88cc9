// CHECK(condition, "why it must hold"): asserts against our own bugs, in every build.
//
// Never use it on anything that a peer, a client, a disk or an operator controls: those faults are answered
// with a Status. A failed check prints the place and ends the process by abort(), so that a simulator or a
// supervisor sees the death at the first wrong state and not later.
#pragma once

namespace chainring {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why) noexcept;

}  // namespace chainring

#define CHECK(condition, why)                                               \
  (__builtin_expect(static_cast<bool>(condition), 1) ? static_cast<void>(0) \
                                                     : ::chainring::check_failed(__FILE__, __LINE__, #condition, why))
