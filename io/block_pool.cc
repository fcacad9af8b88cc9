#include "io/block_pool.h"

#include <bit>
#include <new>

namespace chainring::io {
namespace {

Block allocate(size_t size) {
  Block block{std::unique_ptr<char, FreeDeleter>(static_cast<char*>(std::malloc(size))), size};
  if (block.memory == nullptr) throw std::bad_alloc();
  return block;
}

size_t class_of(size_t size) { return static_cast<size_t>(std::countr_zero(size / kBlockBytesMin)); }

bool is_pooled(size_t size) { return size >= kBlockBytesMin && size <= kBlockBytesMax && std::has_single_bit(size); }

}  // namespace

Block BlockPool::take(size_t bytes) {
  if (bytes > kBlockBytesMax) return allocate(bytes);
  const size_t size = bytes <= kBlockBytesMin ? kBlockBytesMin : std::bit_ceil(bytes);
  std::vector<Block>& free = free_[class_of(size)];
  if (free.empty()) return allocate(size);
  Block block = std::move(free.back());
  free.pop_back();
  return block;
}

void BlockPool::give(Block block) {
  if (!is_pooled(block.size)) return;
  std::vector<Block>& free = free_[class_of(block.size)];
  if ((free.size() + 1) * block.size <= kFreeBytesMaxPerClass) free.push_back(std::move(block));
}

}  // namespace chainring::io
