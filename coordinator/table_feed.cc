#include "coordinator/table_feed.h"

#include <algorithm>

#include "base/check.h"

namespace chainring::coordinator {

void TableFeed::heard(TableVersion has, Micros now, Micros patience) {
  wanted_ = true;
  has_ = has;
  if (has_ >= sent_) {
    patience_ = 0;
    return;
  }
  patience_ = std::max(patience_, patience);
  if (leaving_ || now - sent_at_ < patience_) return;
  sent_ = 0;  // it has not arrived
  patience_ = std::min(2 * patience_, std::max(patience, kPatienceMost));
}

void TableFeed::turn_begins(size_t unsent, uint64_t sent_late, Micros now) {
  // All that waits at the first turn is older than it, or the table itself; what is written later waits behind it.
  if (!left_when_late_) left_when_late_ = sent_late + unsent;
  if (unsent > 0 && sent_late < *left_when_late_) return;
  leaving_ = false;
  sent_at_ = now;
}

void TableFeed::sent(TableVersion version, Micros now) {
  CHECK(is_due(version), "a table is sent when it is due");
  sent_ = version;
  sent_at_ = now;
  leaving_ = true;
  left_when_late_.reset();
}

}  // namespace chainring::coordinator
