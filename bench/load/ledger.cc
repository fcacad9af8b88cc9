#include "bench/load/ledger.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "protocol/slot.h"

namespace chainring::load {

namespace {

uint64_t doubt_of(Key key, Version version) { return uint64_t{key} << 32 | version; }

}  // namespace

Ledger::Ledger(std::string prefix, uint32_t keys, size_t value_bytes)
    : prefix_(std::move(prefix)), value_bytes_(value_bytes), entries_(keys), slots_(keys) {
  CHECK(keys > 0 && keys <= kKeysMax && value_bytes <= kValueBytesMax, "limits are checked by whoever makes a ledger");
  for (Key key = 0; key < keys; ++key) slots_[key] = protocol::slot_of(name(key));
}

std::string Ledger::name(Key key) const { return concat(prefix_, ':', key); }

std::string Ledger::value(Key key, Version version) const {
  std::string text = concat(version, ' ', name(key), ' ');
  if (text.size() < value_bytes_) text.append(value_bytes_ - text.size(), '.');
  return text;
}

void Ledger::acknowledge(Key key, Version version) {
  entries_[key].acknowledged = std::max(entries_[key].acknowledged, version);
}

void Ledger::doubt(Key key, Version version) {
  if (doubts_.size() < kDoubtsMax) doubts_.insert(doubt_of(key, version));
}

std::optional<Version> Ledger::version_of(Key key, std::optional<std::string_view> found) const {
  if (!found) return 0;
  const std::optional<uint64_t> number = parse_uint(found->substr(0, found->find(' ')));
  if (!number || *number == 0 || *number > entries_[key].sent) return std::nullopt;
  const auto version = static_cast<Version>(*number);
  if (*found != value(key, version)) return std::nullopt;
  return version;
}

Finding Ledger::judge(Key key, Version least, std::optional<std::string_view> found) const {
  const std::optional<Version> version = version_of(key, found);
  if (!version) return Finding::strange;
  if (*version >= least) return Finding::sound;
  return doubts_.contains(doubt_of(key, *version)) ? Finding::late : Finding::older;
}

Finding Ledger::settle(Key key, std::optional<std::string_view> found) {
  const Finding finding = judge(key, entries_[key].acknowledged, found);
  entries_[key].acknowledged = version_of(key, found).value_or(0);
  return finding;
}

}  // namespace chainring::load
