#include "node/copy_source.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/node/chain_world.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::node::testing {
namespace {

constexpr Slot kSlot = 5;
constexpr MemberId kLearner = 3;
constexpr size_t kPieceBytes = size_t{1} << 20;

// A slot whose walk takes many calls; what a learner is told of a record is the record.
class LongSlot final : public CopyContent {
 public:
  uint32_t copy_out(Slot, engine::CopyCursor& cursor, size_t, std::string& effects) override {
    Log::append_effect(effects, "key");
    if (++cursor.position == 1000) cursor.db = engine::CopyCursor::kEnd;
    return 1;
  }
  void copy_effects(Slot, engine::CopyCursor&, std::string_view record_effects, std::string& out) override {
    out.append(record_effects);
  }
};

struct Source {
  Source() {
    const MemberId learners[] = {kLearner};
    source.want(kSlot, 1, learners);
    source.asked(kSlot, 1, kLearner, 1);
    Log::append_effect(piece, std::string(kPieceBytes, 'x'));
  }
  // One turn; returns the parts that were sent.
  std::vector<protocol::CopyPart> turn(size_t room) {
    source.work(kPieceBytes, [room](MemberId) { return room; }, [](Slot) { return CopySource::Standing{}; });
    std::vector<protocol::CopyPart> parts;
    for (const CopySource::Message& message : source.take_messages()) {
      protocol::CopyPart part;
      std::string_view effects;
      REQUIRE(protocol::split_payload(message.payload, part, effects));
      parts.push_back(part);
      bytes += effects.size();
    }
    return parts;
  }
  void write() {
    StoredRecord record;
    record.head.slot = kSlot;
    source.applied(record, piece, [](MemberId) { FAIL("the learner does not follow yet"); });
  }

  LongSlot content;
  CopySource source{content};
  std::string piece;
  size_t bytes = 0;
};

// One whose walk takes one call.
class ShortSlot final : public CopyContent {
 public:
  uint32_t copy_out(Slot, engine::CopyCursor& cursor, size_t, std::string& effects) override {
    Log::append_effect(effects, "a key and its value");
    cursor.db = engine::CopyCursor::kEnd;
    return 1;
  }
  void copy_effects(Slot, engine::CopyCursor&, std::string_view, std::string&) override {}
};

}  // namespace

TEST_CASE("CopySource.has_work: also when what is left comes behind a slot that ended with the turn") {
  ShortSlot content;
  CopySource source(content);
  const MemberId learners[] = {kLearner};
  for (const Slot slot : {Slot{5}, Slot{6}}) {
    source.want(slot, 1, learners);
    source.asked(slot, 1, kLearner, 1);
  }
  const auto turn = [&] {
    source.work(1, [](MemberId) { return kPieceBytes; }, [](Slot) { return CopySource::Standing{}; });
    return source.take_messages().size();
  };
  const size_t of_a_slot = turn();
  CHECK(source.has_work());
  CHECK(turn() == of_a_slot);
  CHECK_FALSE(source.has_work());
}

TEST_CASE("CopySource: writes to a slot that is being copied do not pile up for a slow link (R11)") {
  Source copy;
  REQUIRE(copy.turn(1).size() == 1);
  copy.bytes = 0;
  for (int i = 0; i < 100; ++i) {
    copy.write();
    copy.turn(0);
  }
  CHECK(copy.bytes > CopySource::kToldBytesMax);
  CHECK(copy.bytes < CopySource::kToldBytesMax + 2 * kPieceBytes);
  CHECK(copy.source.has_work());
  const auto anew = copy.turn(kPieceBytes);
  REQUIRE_FALSE(anew.empty());
  CHECK(anew.front().part == 0);
  CHECK(anew.front().stream == 2);
}

TEST_CASE("CopySource: writes to a slot that is being copied go on while the link takes them") {
  Source copy;
  REQUIRE(copy.turn(1).size() == 1);
  for (int i = 0; i < 100; ++i) {
    copy.write();
    for (const protocol::CopyPart& part : copy.turn(1)) CHECK(part.stream == 1);
  }
  CHECK(copy.bytes > 100 * kPieceBytes);
}

}  // namespace chainring::node::testing
