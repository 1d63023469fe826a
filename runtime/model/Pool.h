/// Memory for buffers whose sizes are known in a run only.

#ifndef ACC_RUNTIME_MODEL_POOL_H
#define ACC_RUNTIME_MODEL_POOL_H

#include <cstdint>
#include <vector>

namespace acc {

/// Keeps the blocks of one run for the next: fresh pages cost more than what is
/// computed in them.
class Pool {
public:
  /// \p guardBytes before and behind every block belong to nothing else.
  Pool(uint64_t alignment, uint64_t guardBytes);
  ~Pool();
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

  /// Null when there is not so much memory.
  void *allocate(uint64_t bytes);
  /// Ignores what is not from here.
  void release(void *memory);
  /// Everything is free again; what the last run did not need is given back.
  void reset();

private:
  struct Block {
    /// With the guards.
    void *memory;
    uint64_t bytes;
    bool inUse, wasUsed;
  };
  void *usable(const Block &block) const;

  std::vector<Block> blocks;
  uint64_t alignment;
  /// What is left free before and behind, as aligned as the blocks.
  uint64_t margin;
};

} // namespace acc

#endif // ACC_RUNTIME_MODEL_POOL_H
