// While a change of the placement rules is under way: whether keys that it would move are in the slots that this node
// heads (R23; docs/conversations.md, "A change of the placement rules").
//
// No such key is written any more once the change is known here, so one walk over a slot finds what there is, or that
// there is nothing and never will be, under this epoch.
// Pure. Thread-safety: none; one owner.
#pragma once

#include <cstddef>
#include <vector>

#include "base/ids.h"
#include "engine/copying_cursor.h"
#include "engine/database.h"
#include "node/chain.h"
#include "protocol/messages.h"
#include "ring/table.h"

namespace chainring::node {

class RulesCheck {
 public:
  // A table was obeyed: another change begins anew, and slots under new epochs are looked through again.
  void follow(const ring::Table& table);

  // Goes on, for about so many keys. `database`: nullptr while there is none.
  void work(const engine::Database* database, const Chains& chains, const protocol::Placement& placement,
            size_t keys_max);
  [[nodiscard]] bool has_work() const { return has_work_; }

  [[nodiscard]] bool under_way() const { return change_ != 0; }
  // Whether there is something new to say since the last call.
  [[nodiscard]] bool take_due();
  // REQUIRES: under_way().
  [[nodiscard]] protocol::RulesChecked statement(const Chains& chains, MemberId self) const;

 private:
  // Walked to its end under `epoch`, when it had applied records up to `through`.
  struct Checked {
    Epoch epoch = 0;
    Sequence through = 0;
  };

  TableVersion change_ = 0;
  std::vector<Checked> checked_;  // by slot; empty while no change is under way
  uint32_t slot_ = 0;             // where the walk is
  engine::CopyCursor cursor_;
  Epoch cursor_epoch_ = 0;
  std::string example_;
  bool found_ = false;
  bool has_work_ = false;
  bool due_ = false;
};

}  // namespace chainring::node
