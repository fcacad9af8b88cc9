// The bytes that were received and not consumed, contiguous, however they came.
//
// Consuming moves an index. Bytes move only when room is made: to the front when at least as many were consumed, else
// into twice the memory, so each byte is copied a constant number of times on average, and a long argument that comes
// in small pieces costs no more. Empty buffers own no memory after release_if_empty().
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <string_view>

#include "io/block_pool.h"

namespace chainring::io {

class ReadBuffer {
 public:
  [[nodiscard]] std::string_view bytes() const { return {block_.memory.get() + begin_, end_ - begin_}; }
  [[nodiscard]] size_t size() const { return end_ - begin_; }
  [[nodiscard]] size_t capacity() const { return block_.size; }

  // REQUIRES: count <= size().
  void consume(size_t count);

  // Memory of at least `bytes` behind the contents, to receive into. Invalidates views of bytes().
  struct Space {
    char* at;
    size_t size;
  };
  [[nodiscard]] Space make_space(size_t bytes, BlockPool& pool);
  // What capacity() would be after make_space(bytes).
  [[nodiscard]] size_t capacity_for(size_t bytes) const;
  // REQUIRES: count <= the size of the last make_space().
  void received(size_t count);

  void release_if_empty(BlockPool& pool);

 private:
  void grow(size_t capacity, BlockPool& pool);
  void move_to(size_t capacity, BlockPool& pool);
  [[nodiscard]] bool can_shift(size_t bytes) const { return begin_ >= size() && block_.size - size() >= bytes; }

  Block block_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace chainring::io
