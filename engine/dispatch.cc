#include "engine/dispatch.h"

#include "base/check.h"

namespace chainring::engine {

void Dispatch::add(protocol::CommandId id, Handler handler) {
  CHECK(id < protocol::CommandId::count_, "ids come from the command table");
  Handler& place = handlers_[static_cast<size_t>(id)];
  CHECK(place == nullptr, "two handlers for one command");
  place = handler;
}

Handler Dispatch::find(protocol::CommandId id) const {
  CHECK(id < protocol::CommandId::count_, "ids come from the command table");
  return handlers_[static_cast<size_t>(id)];
}

const Dispatch& dispatch() {
  static const Dispatch all = [] {
    Dispatch made;
    register_string_commands(made);
    register_counter_commands(made);
    register_key_commands(made);
    register_expire_commands(made);
    register_keyspace_commands(made);
    register_object_commands(made);
    return made;
  }();
  return all;
}

}  // namespace chainring::engine
