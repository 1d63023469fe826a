#include "Pool.h"

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

using namespace acc;

static uint64_t alignTo(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

Pool::Pool(uint64_t alignment, uint64_t guardBytes)
    : alignment(alignment), margin(alignTo(guardBytes, alignment)) {}

Pool::~Pool() {
  for (const Block &block : blocks)
    std::free(block.memory);
}

/// The system promises more memory than there is, and stops who uses it.
static bool canExist(uint64_t bytes) {
  static const uint64_t physical =
      static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
      static_cast<uint64_t>(::sysconf(_SC_PAGE_SIZE));
  return bytes <= physical;
}

void *Pool::allocate(uint64_t bytes) {
  bytes = alignTo(std::max<uint64_t>(bytes, 1), alignment) + 2 * margin;
  Block *best = nullptr;
  for (Block &block : blocks)
    if (!block.inUse && block.bytes >= bytes && block.bytes / 2 <= bytes &&
        (!best || block.bytes < best->bytes))
      best = &block;
  if (best) {
    best->inUse = best->wasUsed = true;
    return usable(*best);
  }
  if (!canExist(bytes))
    return nullptr;
  blocks.reserve(blocks.size() + 1);
  void *memory = std::aligned_alloc(alignment, bytes);
  if (!memory)
    return nullptr;
  blocks.push_back({memory, bytes, true, true});
  return usable(blocks.back());
}

void *Pool::usable(const Block &block) const {
  return static_cast<uint8_t *>(block.memory) + margin;
}

void Pool::release(void *memory) {
  for (Block &block : blocks)
    if (usable(block) == memory)
      block.inUse = false;
}

void Pool::reset() {
  std::erase_if(blocks, [](Block &block) {
    if (!block.wasUsed)
      std::free(block.memory);
    return !block.wasUsed;
  });
  for (Block &block : blocks)
    block.inUse = block.wasUsed = false;
}
