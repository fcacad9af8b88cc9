// How keys are kept: OBJECT and MEMORY USAGE.
#include "engine/dispatch.h"

namespace chainring::engine {
namespace {

using protocol::CommandId;

// The entry that a subcommand asks about; writes null when there is none.
const Entry* asked_entry(Call& call) {
  const Entry* entry = call.find_to_read(call.key(2), Call::Use::leave);
  if (entry == nullptr) call.reply.null();
  return entry;
}

void object_encoding(Call& call) {
  if (const Entry* entry = asked_entry(call)) call.reply.bulk(encoding_name(entry->encoding()));
}

void object_freq(Call& call) {
  if (asked_entry(call) == nullptr) return;
  call.reply.error(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
      "between policies at runtime LRU and LFU data will take some time to adjust.");
}

void object_idletime(Call& call) {
  if (const Entry* entry = asked_entry(call)) call.reply.integer(call.store.idle_seconds(*entry));
}

// Values are never shared between keys.
void object_refcount(Call& call) {
  if (asked_entry(call) != nullptr) call.reply.integer(1);
}

void object_help(Call& call) {
  constexpr std::string_view kLines[] = {
      "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
      "HELP",
      "    Prints this help.",
  };
  call.reply.array(std::size(kLines));
  for (const std::string_view line : kLines) call.reply.simple(line);
}

void memory_usage(Call& call) {
  // SAMPLES is for values of many parts; a string is counted exactly.
  if (call.args.size() != 3) {
    int64_t samples = 0;
    if (call.args.size() != 5 || !call.option(3, "samples")) return call.reply.error(protocol::errors::kSyntax);
    if (!call.integer(4, samples)) return;
    if (samples < 0) return call.reply.error(protocol::errors::kSyntax);
  }
  constexpr int64_t kPlaceBytes = sizeof(Entry*) + sizeof(uint8_t);  // in a bucket
  if (const Entry* entry = asked_entry(call)) {
    call.reply.integer(static_cast<int64_t>(entry->memory_bytes()) + kPlaceBytes);
  }
}

}  // namespace

void register_object_commands(Dispatch& dispatch) {
  dispatch.add(CommandId::memory_usage, memory_usage);
  dispatch.add(CommandId::object_encoding, object_encoding);
  dispatch.add(CommandId::object_freq, object_freq);
  dispatch.add(CommandId::object_help, object_help);
  dispatch.add(CommandId::object_idletime, object_idletime);
  dispatch.add(CommandId::object_refcount, object_refcount);
}

}  // namespace chainring::engine
