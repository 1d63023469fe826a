/// The memory of one model: a single range of host memory, all of which the
/// device can reach.

#ifndef ACC_RUNTIME_MODEL_ARENA_H
#define ACC_RUNTIME_MODEL_ARENA_H

#include "Metadata.h"

namespace acc {

/// Lays out and holds constants, inputs, outputs, the workspace and the tables
/// that programs bring along (of \p tableBytes each). The constants of the
/// file are mapped, not copied; writes to them stay private.
class Arena {
public:
  Arena(const ModelFile &file, const Metadata &metadata,
        const std::vector<uint64_t> &tableBytes);
  ~Arena();
  Arena(const Arena &) = delete;
  Arena &operator=(const Arena &) = delete;

  uint8_t *begin() const { return base; }
  uint64_t bytes() const { return size; }

  /// Null for inputs and outputs whose size is not fixed.
  std::vector<void *> constants, inputs, outputs, tables;
  void *workspace = nullptr;

private:
  uint8_t *base = nullptr;
  uint64_t size = 0;
};

} // namespace acc

#endif // ACC_RUNTIME_MODEL_ARENA_H
