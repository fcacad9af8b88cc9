// Which command runs in the engine, and by which handler. Handlers are registered explicitly, one function for each
// file of commands; the ids come from the command table, so that a handler without a row does not compile.
//
// Thread-safety: constant after its first use.
#pragma once

#include <array>

#include "engine/call.h"
#include "protocol/command.h"

namespace chainring::engine {

using Handler = void (*)(Call& call);

class Dispatch {
 public:
  // REQUIRES: no handler for this id yet.
  void add(protocol::CommandId id, Handler handler);
  // nullptr when the engine does not run it.
  [[nodiscard]] Handler find(protocol::CommandId id) const;

 private:
  std::array<Handler, protocol::kCommandCount> handlers_{};
};

void register_string_commands(Dispatch& dispatch);    // commands_string.cc
void register_counter_commands(Dispatch& dispatch);   // commands_counter.cc
void register_key_commands(Dispatch& dispatch);       // commands_key.cc
void register_expire_commands(Dispatch& dispatch);    // commands_expire.cc
void register_keyspace_commands(Dispatch& dispatch);  // commands_keyspace.cc
void register_object_commands(Dispatch& dispatch);    // commands_object.cc

[[nodiscard]] const Dispatch& dispatch();

}  // namespace chainring::engine
