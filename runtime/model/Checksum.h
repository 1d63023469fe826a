/// CRC-32C, with the processor's instruction where it has one.

#ifndef ACC_RUNTIME_MODEL_CHECKSUM_H
#define ACC_RUNTIME_MODEL_CHECKSUM_H

#include <cstddef>
#include <cstdint>

namespace acc {

/// The checksum of \p bytes, continuing one of the bytes before them.
uint32_t crc32c(const void *data, size_t bytes, uint32_t before = 0);

} // namespace acc

#endif // ACC_RUNTIME_MODEL_CHECKSUM_H
