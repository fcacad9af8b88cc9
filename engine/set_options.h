// The options that SET and GETEX share, judged as Redis judges them: which exclude each other, which error comes first.
// Thread-safety: none.
#pragma once

#include <optional>
#include <string_view>

#include "engine/call.h"

namespace chainring::engine {

// "EX 10" and its kin, as they were said.
struct ExpireTime {
  std::string_view number;
  int64_t unit_ms = 1;
  bool absolute = false;  // else from now on
};

struct SetOptions {
  enum class Condition { none, absent, present, equal };
  enum class Lifetime { drop, keep, persist, until };

  Condition condition = Condition::none;
  std::string_view expected;  // with Condition::equal
  bool get = false;
  Lifetime lifetime = Lifetime::drop;
  ExpireTime expire;  // with Lifetime::until
};

// Reads the options behind the first `from` arguments; writes the error and returns nothing when they are wrong.
// Numbers are not looked at yet: GETEX answers first for a key that is not there.
[[nodiscard]] std::optional<SetOptions> parse_set_options(Call& call, size_t from);
[[nodiscard]] std::optional<SetOptions> parse_getex_options(Call& call, size_t from);

// The deadline meant, which may have passed; the error as above.
[[nodiscard]] std::optional<Millis> to_deadline(Call& call, const ExpireTime& time);

// Redis allows a deadline of INT64_MAX, which here means none: a millisecond less is as good.
[[nodiscard]] constexpr Millis as_deadline(int64_t at) { return at == kNoDeadline ? kNoDeadline - 1 : at; }

}  // namespace chainring::engine
