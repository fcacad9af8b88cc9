// The options that SET and GETEX share, judged as Redis judges them: which exclude each other, which error comes first.
// Thread-safety: none.
#pragma once

#include <optional>
#include <string_view>

#include "engine/call.h"

namespace chainring::engine {

struct SetOptions {
  enum class Condition { none, absent, present, equal };
  enum class Lifetime { drop, keep, persist, until };

  Condition condition = Condition::none;
  std::string_view expected;  // with Condition::equal
  bool get = false;
  Lifetime lifetime = Lifetime::drop;
  Millis deadline = kNoDeadline;  // with Lifetime::until; may have passed
};

// Reads the options behind the first `from` arguments; writes the error and returns nothing when they are wrong.
[[nodiscard]] std::optional<SetOptions> parse_set_options(Call& call, size_t from);
[[nodiscard]] std::optional<SetOptions> parse_getex_options(Call& call, size_t from);

// The deadline of "so many seconds or milliseconds from now" (SETEX, EX, PX); the error as above.
[[nodiscard]] std::optional<Millis> deadline_after(Call& call, std::string_view text, int64_t unit_ms);

// Redis allows a deadline of INT64_MAX, which here means none: a millisecond less is as good.
[[nodiscard]] constexpr Millis as_deadline(int64_t at) { return at == kNoDeadline ? kNoDeadline - 1 : at; }

}  // namespace chainring::engine
