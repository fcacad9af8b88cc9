#include "session/commands.h"

namespace chainring::session {
namespace {

HandlerTable make_table() {
  HandlerTable table{};
  add_connection_commands(table);
  add_client_commands(table);
  add_server_commands(table);
  add_transaction_commands(table);
  return table;
}

}  // namespace

Handler find_handler(protocol::CommandId id) {
  static const HandlerTable table = make_table();
  return table[static_cast<size_t>(id)];
}

}  // namespace chainring::session
