#include "tests/engine/session.h"

#include <stdexcept>

#include "base/bytes.h"
#include "base/text.h"

namespace chainring::engine {

std::string Session::run(std::span<const std::string_view> args) {
  effects.clear();
  std::string out;
  protocol::ReplyWriter reply(out, version);
  const protocol::CommandSpec* command = protocol::find_command(args);
  if (command == nullptr) throw std::runtime_error("no such command: " + std::string(args[0]));
  if (!protocol::arity_fits(*command, args.size())) {
    reply.error(protocol::errors::wrong_arity(command->name));
    return out;
  }
  if (!Database::runs(command->id)) throw std::runtime_error("not run by the engine: " + std::string(args[0]));
  const ExecContext context{.now = now,
                            .random = &random,
                            .db = db,
                            .slot = {},
                            .slots = slots,
                            .scan_ends = false,
                            .reply_bytes_max = reply_bytes_max};
  database.execute(*command, args, context, reply, effects);
  return out;
}

std::string Session::Line(std::string_view line) { return run(words(line)); }

std::string Session::effect_lines() const {
  std::string lines;
  for (const auto& [slot, bytes] : effects.slots()) lines += engine::effect_lines(bytes);
  return lines;
}

std::string effect_lines(std::string_view bytes) {
  std::string lines;
  ByteReader reader(bytes);
  while (!reader.complete()) {
    uint8_t db = 0;
    reader(db);
    append_text(lines, static_cast<int>(db));
    const uint64_t count = reader.varint();
    for (uint64_t i = 0; i < count && !reader.failed(); ++i) {
      std::string_view arg;
      reader(arg);
      append_text(lines, ' ', arg);
    }
    if (reader.failed()) throw std::runtime_error("malformed effects");
    lines += '\n';
  }
  return lines;
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    if (end > 0) found.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return found;
}

}  // namespace chainring::engine
