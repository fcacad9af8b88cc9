#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/text.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "tests/protocol/archives.h"
#include "tests/protocol/message_samples.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

using testing::Describing;
using testing::for_each_message;
using testing::Numbering;
using testing::Randomizing;

// What stands inside messages, for the tables of docs/wire.md.
template <class Visit>
void for_each_part(Visit visit) {
  visit("TableMember", TableMember{});
  visit("TableRange", TableRange{});
  visit("CoordinatorAddress", CoordinatorAddress{});
  visit("CoordinatorList", CoordinatorList{});
  visit("ListedCoordinator", ListedCoordinator{});
  visit("StoppedRun", StoppedRun{});
  visit("LearnedRun", LearnedRun{});
  visit("LearnRun", LearnRun{});
  visit("SenderAnswer", SenderAnswer{});
  visit("SenderRecord", SenderRecord{});
  visit("LevelItem", LevelItem{});
  visit("SlotRange", SlotRange{});
  visit("Record", Record{});
  visit("EarlierAnswer", EarlierAnswer{});
  visit("AckItem", AckItem{});
  visit("TransactionHead", TransactionHead{});
  visit("DatabaseChange", DatabaseChange{});
}

// The tables of docs/wire.md: under a heading "### Name", rows "| field | type | meaning |". Types by name.
std::map<std::string, std::vector<std::string>> documented_types() {
  std::map<std::string, std::vector<std::string>> tables;
  std::ifstream file(CHAINRING_DOCS "/wire.md");
  std::string heading;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("### ")) heading = line.substr(4, line.find(' ', 4) - 4);
    if (line.starts_with("## ")) heading.clear();
    if (line.starts_with("| field |")) tables[heading];  // also of a message without fields
    if (heading.empty() || !line.starts_with("| `")) continue;
    const size_t begin = line.find("| ", 2) + 2;
    std::string type = line.substr(begin, line.find(" |", begin) - begin);
    if (type.starts_with("list of [")) type = "list of struct";
    if (type.starts_with("[")) type = "struct";
    tables[heading].push_back(type);
  }
  return tables;
}

}  // namespace

TEST_CASE("messages: their bytes are those of testdata/frames.txt (other bytes need another kWireVersion)") {
  std::vector<std::string> recorded;
  std::ifstream file(CHAINRING_TESTDATA "/frames.txt");
  for (std::string line; std::getline(file, line);) recorded.push_back(line);
  CHECK(recorded == testing::golden_frames());
}

TEST_CASE("docs/wire.md: has a table for each message, with the types of its fields in their order") {
  const auto documented = documented_types();
  const auto check = [&](const char* name, auto message) {
    Describing description;
    message.fields(description);
    INFO(name);
    REQUIRE(documented.contains(name));
    CHECK(documented.at(name) == description.types());
  };
  for_each_message([&](const char* name, FrameType, auto message) { check(name, message); });
  for_each_part(check);
}

TEST_CASE("messages: what is encoded is decoded again") {
  rc::prop("decode(encode(x)) == x", [](uint64_t seed) {
    SeededRandom random(seed);
    for_each_message([&](const char*, FrameType, auto message) {
      Randomizing values(random);
      message.fields(values);
      const std::string bytes = encode(message);
      const auto back = decode<decltype(message)>(bytes);
      RC_ASSERT(back.has_value());
      RC_ASSERT(encode(*back) == bytes);
    });
  });
}

TEST_CASE("messages: what is cut short or has bytes behind it is refused") {
  for_each_message([&](const char* name, FrameType, auto message) {
    Numbering numbers;
    message.fields(numbers);
    const std::string bytes = encode(message);
    INFO(name);
    for (size_t size = 0; size < bytes.size(); ++size) {
      CHECK_FALSE(decode<decltype(message)>(std::string_view(bytes).substr(0, size)).has_value());
    }
    CHECK_FALSE(decode<decltype(message)>(bytes + 'x').has_value());
  });
}

TEST_CASE("messages: random bytes and flipped bits decode to something or to nothing") {
  rc::prop("no crash", [](uint64_t seed) {
    SeededRandom random(seed);
    for_each_message([&](const char*, FrameType, auto message) {
      Randomizing values(random);
      message.fields(values);
      std::string bytes = encode(message);
      for (int i = 0; i < 4 && !bytes.empty(); ++i) {
        bytes[random.below(bytes.size())] ^= static_cast<char>(random.next());
      }
      const auto back = decode<decltype(message)>(bytes);
      if (back) RC_ASSERT(decode<decltype(message)>(encode(*back)).has_value());
      for (char& c : bytes) c = static_cast<char>(random.next());
      RC_ASSERT(!decode<decltype(message)>(bytes + std::string(100'000, '\x7f')).has_value());
    });
  });
}

TEST_CASE("messages: a declared count reserves no more than the bytes that are there could hold") {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.varint(uint64_t{1} << 40);
  writer.raw(std::string(5000, '\xff'));
  Records records;
  ByteReader reader(bytes);
  reader(records);
  CHECK(reader.failed());
  CHECK(records.records.capacity() == 0);

  bytes.clear();
  writer.varint(4000);
  writer.raw(std::string(5000, '\xff'));
  ByteReader second(bytes);
  second(records);
  CHECK(second.failed());
  CHECK(records.records.capacity() <= 1024);
}

}  // namespace chainring::protocol
