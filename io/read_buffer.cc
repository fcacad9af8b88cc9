#include "io/read_buffer.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/check.h"

namespace chainring::io {
namespace {

constexpr size_t kShrinkFactor = 8;  // a big block that is filled to less than this part is given up

}  // namespace

void ReadBuffer::consume(size_t count) {
  CHECK(count <= size(), "only what was received can be consumed");
  begin_ += count;
}

size_t ReadBuffer::capacity_for(size_t bytes) const {
  if (block_.size - end_ >= bytes || can_shift(bytes)) return block_.size;
  return std::max({2 * size(), size() + bytes, kBlockBytesMin});
}

ReadBuffer::Space ReadBuffer::make_space(size_t bytes, BlockPool& pool) {
  if (size() == 0) begin_ = end_ = 0;
  if (block_.size > kBlockBytesMax && (size() + bytes) * kShrinkFactor < block_.size) move_to(size() + bytes, pool);
  if (block_.size - end_ < bytes) {
    if (can_shift(bytes)) {
      std::memmove(block_.memory.get(), block_.memory.get() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    } else {
      grow(capacity_for(bytes), pool);
    }
  }
  return {block_.memory.get() + end_, block_.size - end_};
}

void ReadBuffer::received(size_t count) {
  CHECK(count <= block_.size - end_, "received more than there was room for");
  end_ += count;
}

void ReadBuffer::release_if_empty(BlockPool& pool) {
  if (size() != 0 || block_.size == 0) return;
  pool.give(std::move(block_));
  block_ = Block{};
  begin_ = end_ = 0;
}

void ReadBuffer::grow(size_t capacity, BlockPool& pool) {
  if (begin_ == 0 && block_.size > kBlockBytesMax) {  // so big that realloc moves pages instead of bytes
    char* moved = static_cast<char*>(std::realloc(block_.memory.get(), capacity));
    if (moved == nullptr) throw std::bad_alloc();
    static_cast<void>(block_.memory.release());
    block_.memory.reset(moved);
    block_.size = capacity;
    return;
  }
  move_to(capacity, pool);
}

void ReadBuffer::move_to(size_t capacity, BlockPool& pool) {
  Block other = pool.take(capacity);
  const size_t kept = size();
  if (kept > 0) std::memcpy(other.memory.get(), block_.memory.get() + begin_, kept);
  if (block_.size > 0) pool.give(std::move(block_));
  block_ = std::move(other);
  begin_ = 0;
  end_ = kept;
}

}  // namespace chainring::io
