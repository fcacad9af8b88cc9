#include "io/read_buffer.h"

#include <cstring>
#include <string>

#include "tests/io/support.h"

// clang-format off
#include <rapidcheck.h>  // behind Catch's CHECK
#include <rapidcheck/catch.h>
// clang-format on

namespace chainring::io {
namespace {

void receive(ReadBuffer& buffer, BlockPool& pool, std::string_view bytes) {
  const ReadBuffer::Space space = buffer.make_space(bytes.size(), pool);
  REQUIRE(space.size >= bytes.size());
  std::memcpy(space.at, bytes.data(), bytes.size());
  buffer.received(bytes.size());
}

}  // namespace

TEST_CASE("ReadBuffer: holds what a string would, whatever comes and goes") {
  rc::prop("receive, consume and release in any order", [] {
    BlockPool pool;
    ReadBuffer buffer;
    std::string model;
    size_t peak = 0;
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-40'000, 40'000));
    for (const int step : steps) {
      if (step >= 0) {
        const std::string bytes = pattern(static_cast<size_t>(step));
        receive(buffer, pool, bytes);
        model += bytes;
        peak = std::max(peak, model.size());
      } else {
        const size_t count = std::min(model.size(), static_cast<size_t>(-step));
        buffer.consume(count);
        model.erase(0, count);
        if (count % 2 == 0) buffer.release_if_empty(pool);
      }
      RC_ASSERT(buffer.bytes() == model);
      RC_ASSERT(buffer.capacity() <= std::max(4 * peak, kBlockBytesMin));  // doubled, and rounded up to a block
    }
  });
}

TEST_CASE("ReadBuffer: a long argument in small pieces is moved a logarithmic number of times") {
  BlockPool pool;
  ReadBuffer buffer;
  const std::string piece = pattern(4096);
  int moves = 0;
  const char* place = nullptr;
  constexpr size_t kPieces = 16 * 1024;  // 64 MiB
  for (size_t i = 0; i < kPieces; ++i) {
    receive(buffer, pool, piece);
    if (buffer.bytes().data() != place) ++moves;
    place = buffer.bytes().data();
  }
  CHECK(buffer.size() == kPieces * piece.size());
  CHECK(buffer.capacity() <= 2 * buffer.size());
  CHECK(moves <= 14);  // 16 KiB to 64 MiB is twelve doublings
  CHECK(buffer.bytes().substr(buffer.size() - piece.size()) == piece);
}

TEST_CASE("ReadBuffer: a request split over reads does not make the buffer grow") {
  BlockPool pool;
  ReadBuffer buffer;
  const std::string piece = pattern(3000);
  receive(buffer, pool, piece.substr(0, 100));
  for (int i = 0; i < 1000; ++i) {  // always one unfinished request of 100 bytes left
    receive(buffer, pool, piece);
    buffer.consume(piece.size());
  }
  CHECK(buffer.size() == 100);
  CHECK(buffer.capacity() == kBlockBytesMin);
}

TEST_CASE("ReadBuffer.release_if_empty: the block serves the next buffer") {
  BlockPool pool;
  ReadBuffer first;
  receive(first, pool, "x");
  const char* memory = first.bytes().data();
  first.release_if_empty(pool);
  CHECK(first.capacity() == kBlockBytesMin);  // not while it holds something
  first.consume(1);
  first.release_if_empty(pool);
  CHECK(first.capacity() == 0);
  ReadBuffer second;
  receive(second, pool, "y");
  CHECK(second.bytes().data() == memory);
}

TEST_CASE("ReadBuffer: after a long argument the memory goes, even when a request has begun behind it") {
  BlockPool pool;
  ReadBuffer buffer;
  const std::string argument = pattern(64 << 20);
  receive(buffer, pool, argument);
  receive(buffer, pool, "GET");
  buffer.consume(argument.size());
  receive(buffer, pool, " key");
  CHECK(buffer.bytes() == "GET key");
  CHECK(buffer.capacity() == kBlockBytesMin);
}

TEST_CASE("BlockPool: keeps a bounded number of free blocks, and no huge ones") {
  BlockPool pool;
  const Block huge = pool.take(kBlockBytesMax + 1);
  CHECK(huge.size == kBlockBytesMax + 1);
  CHECK(pool.take(1).size == kBlockBytesMin);
  CHECK(pool.take(kBlockBytesMin + 1).size == 2 * kBlockBytesMin);
  CHECK(pool.take(kBlockBytesMax).size == kBlockBytesMax);
}

}  // namespace chainring::io
