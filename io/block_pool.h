// Memory for input buffers that goes from one connection to the next while it is still in the cache.
//
// Blocks have sizes that are powers of two from kBlockBytesMin to kBlockBytesMax; a bounded number of free ones is
// kept. Thread-safety: none; one pool for each event loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

namespace chainring::io {

inline constexpr size_t kBlockBytesMin = 16 * 1024;
inline constexpr size_t kBlockBytesMax = 256 * 1024;

struct FreeDeleter {
  void operator()(char* memory) const { std::free(memory); }
};

// Made by malloc, so that a big one can grow by realloc, which moves pages instead of bytes.
struct Block {
  std::unique_ptr<char, FreeDeleter> memory;
  size_t size = 0;
};

class BlockPool {
 public:
  // A block of the smallest size that holds `bytes`; one of its own making when that is above kBlockBytesMax.
  [[nodiscard]] Block take(size_t bytes);
  // Keeps the block for another, or frees it.
  void give(Block block);

 private:
  static constexpr size_t kClasses = 5;
  static constexpr size_t kFreeBytesMaxPerClass = 2 * 1024 * 1024;
  static_assert(kBlockBytesMin << (kClasses - 1) == kBlockBytesMax);

  std::array<std::vector<Block>, kClasses> free_;
};

}  // namespace chainring::io
