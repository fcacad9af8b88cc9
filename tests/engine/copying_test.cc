// A slot is copied while it is written to (R17): at the end of the walk the copy is exact.
#include <string>
#include <vector>

#include "base/text.h"
#include "engine/copying.h"
#include "protocol/slot.h"
#include "tests/engine/session.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::engine {
namespace {

// K and L are keys of one slot, V a value, D a database.
constexpr std::string_view kWrites[] = {
    "set K V",   "set K V px 100000", "append K V",       "setrange K 5 V",        "del K",
    "incr K",    "rename K L",        "copy K L replace", "copy K L db D replace", "pexpire K 90000",
    "persist K", "getdel K",          "mset K V L V",
};

struct Copying {
  explicit Copying(uint64_t seed) : random(seed), source(seed), slot(protocol::slot_of("{t}")) {}

  std::string line() {
    std::string text;
    for (const char c :
         random.below(200) == 0 ? std::string_view("flushall") : kWrites[random.below(std::size(kWrites))]) {
      if (c == 'K' || c == 'L') {
        append_text(text, "{t}", random.below(keys));
      } else if (c == 'V') {
        append_text(text, "value", random.below(1000));
      } else if (c == 'D') {
        append_text(text, random.below(3));
      } else {
        text.push_back(c);
      }
    }
    return text;
  }
  // One command at the source; the copy is told what it has to know.
  void write() {
    source.db = static_cast<uint8_t>(random.below(3));
    source.Line(line());
    if (source.effects.empty()) return;
    std::string told;
    source.database.copy_effects(slot, cursor, source.effects.slots()[0].bytes, told);
    REQUIRE(copy.apply(slot, told).ok());
  }
  void walk(size_t bytes) {
    std::string effects;
    (void)source.database.copy_out(slot, cursor, bytes, effects);
    REQUIRE(copy.apply(slot, effects).ok());
  }

  SeededRandom random;
  Session source;
  Database copy{DatabaseOptions{.hash_seed = 7}};
  Slot slot;
  CopyCursor cursor;
  uint64_t keys = 60;
};

}  // namespace

TEST_CASE("copy_out: a copy made while keys are written, renamed and flushed is exact at its end") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 60));
  CAPTURE(seed);
  Copying f(seed);
  f.keys = 1 + f.random.below(400);
  for (int i = 0; i < 300; ++i) f.write();
  f.cursor = {};
  f.cursor.piece_bytes = f.random.percent(50) ? 1 + f.random.below(20) : kCopyPieceBytes;
  f.copy.clear_slot(f.slot);
  while (!f.cursor.at_end()) {
    f.walk(1 + f.random.below(400));
    for (uint64_t i = f.random.below(8); i > 0; --i) f.write();
  }
  REQUIRE(f.copy.digest(f.slot) == f.source.database.digest(f.slot));
  for (int i = 0; i < 100; ++i) f.write();  // and stays so: all keys are passed
  REQUIRE(f.copy.digest(f.slot) == f.source.database.digest(f.slot));
}

TEST_CASE("copy_out: a long string goes in pieces, a turn's worth at a time, and whole_effects() parts them") {
  Copying f(1);
  const std::string text(3 * kCopyPieceBytes + 17, 'x');
  f.source.Run({"set", "{t}long", text, "px", "100000"});
  int turns = 0;
  for (; !f.cursor.at_end(); ++turns) {
    std::string effects;
    (void)f.source.database.copy_out(f.slot, f.cursor, 1, effects);
    REQUIRE(effects.size() <= kCopyPieceBytes + 100);
    REQUIRE(whole_effects(effects, kCopyPieceBytes) == effects.size());
    REQUIRE(f.copy.apply(f.slot, effects).ok());
  }
  REQUIRE(turns >= 4);
  REQUIRE(f.copy.digest(f.slot) == f.source.database.digest(f.slot));
}

TEST_CASE("copy_effects: a long string that is written to while its pieces are sent arrives whole") {
  const std::string_view write =
      GENERATE("append {t}long tail", "setrange {t}long 2 XY", "setrange {t}long 14 XY", "setrange {t}long 30 XY",
               "set {t}long new", "getdel {t}long", "pexpire {t}long 5000", "rename {t}long {t}other",
               "copy {t}long {t}other", "flushall");
  CAPTURE(write);
  Copying f(1);
  f.cursor.piece_bytes = 4;
  f.source.Line("set {t}long 0123456789abcdef");
  f.walk(1);
  f.walk(1);
  REQUIRE(f.cursor.open);
  f.source.Line(write);
  std::string told;
  f.source.database.copy_effects(f.slot, f.cursor, f.source.effects.slots()[0].bytes, told);
  REQUIRE(f.copy.apply(f.slot, told).ok());
  while (!f.cursor.at_end()) f.walk(1);
  REQUIRE(f.copy.digest(f.slot) == f.source.database.digest(f.slot));
}

}  // namespace chainring::engine
