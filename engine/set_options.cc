#include "engine/set_options.h"

#include "base/text.h"

namespace chainring::engine {
namespace {

using Condition = SetOptions::Condition;
using Lifetime = SetOptions::Lifetime;

constexpr int64_t kMillisPerSecond = 1000;

struct ExpireOption {
  std::string_view name;
  int64_t unit_ms;
  bool absolute;
};
constexpr ExpireOption kExpireOptions[] = {
    {"ex", kMillisPerSecond, false}, {"px", 1, false}, {"exat", kMillisPerSecond, true}, {"pxat", 1, true}};

class Parser {
 public:
  Parser(Call& call, bool is_set) : call_(call), is_set_(is_set) {}

  std::optional<SetOptions> parse(size_t from) {
    for (size_t at = from; at < call_.args.size();) {
      const size_t taken = take(at);
      if (taken == 0) {
        call_.reply.error(protocol::errors::kSyntax);
        return std::nullopt;
      }
      at += taken;
    }
    return options_;
  }

 private:
  // How many arguments belong to the option at `at`; 0 for a syntax error.
  size_t take(size_t at) {
    const bool has_value = at + 1 < call_.args.size();
    if (is_set_) {
      if (call_.option(at, "nx")) return take_condition(Condition::absent) ? 1 : 0;
      if (call_.option(at, "xx")) return take_condition(Condition::present) ? 1 : 0;
      if (call_.option(at, "ifeq") && has_value) {
        options_.expected = call_.args[at + 1];
        return take_condition(Condition::equal) ? 2 : 0;
      }
      if (call_.option(at, "get")) {
        options_.get = true;
        return 1;
      }
      if (call_.option(at, "keepttl")) return take_lifetime(Lifetime::keep, nullptr) ? 1 : 0;
    } else if (call_.option(at, "persist")) {
      return take_lifetime(Lifetime::persist, nullptr) ? 1 : 0;
    }
    for (const ExpireOption& option : kExpireOptions) {
      if (!call_.option(at, option.name) || !has_value) continue;
      options_.expire = {call_.args[at + 1], option.unit_ms, option.absolute};
      return take_lifetime(Lifetime::until, &option) ? 2 : 0;
    }
    return 0;
  }

  // Saying the same again is allowed, as in Redis.
  bool take_condition(Condition condition) {
    if (options_.condition != Condition::none && options_.condition != condition) return false;
    options_.condition = condition;
    return true;
  }
  bool take_lifetime(Lifetime lifetime, const ExpireOption* expire) {
    if (options_.lifetime != Lifetime::drop && (options_.lifetime != lifetime || expire_ != expire)) return false;
    options_.lifetime = lifetime;
    expire_ = expire;
    return true;
  }

  Call& call_;
  bool is_set_;
  SetOptions options_;
  const ExpireOption* expire_ = nullptr;  // the one said, with Lifetime::until
};

}  // namespace

std::optional<SetOptions> parse_set_options(Call& call, size_t from) { return Parser(call, true).parse(from); }
std::optional<SetOptions> parse_getex_options(Call& call, size_t from) { return Parser(call, false).parse(from); }

std::optional<Millis> to_deadline(Call& call, const ExpireTime& time) {
  const auto number = parse_int(time.number);
  if (!number) {
    call.reply.error(protocol::errors::kNotInteger);
    return std::nullopt;
  }
  int64_t at = *number;
  const bool bad = at <= 0 || __builtin_mul_overflow(at, time.unit_ms, &at) ||
                   (!time.absolute && __builtin_add_overflow(at, call.context.now, &at));
  if (bad) {
    call.invalid_expire();
    return std::nullopt;
  }
  return as_deadline(at);
}

}  // namespace chainring::engine
