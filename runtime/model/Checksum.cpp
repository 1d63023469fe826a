#include "Checksum.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

using namespace acc;

/// The Castagnoli polynomial, reflected.
static constexpr uint32_t kPolynomial = 0x82f63b78;

using Tables = std::array<std::array<uint32_t, 256>, 8>;

static constexpr Tables makeTables() {
  Tables tables = {};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ (crc & 1 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; ++i)
    for (int slice = 1; slice < 8; ++slice)
      tables[slice][i] =
          (tables[slice - 1][i] >> 8) ^ tables[0][tables[slice - 1][i] & 0xff];
  return tables;
}

static constexpr Tables kTables = makeTables();

static uint32_t portable(const uint8_t *data, size_t bytes, uint32_t crc) {
  for (; bytes >= 8; data += 8, bytes -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    word ^= crc;
    crc = 0;
    for (int slice = 0; slice < 8; ++slice)
      crc ^= kTables[7 - slice][(word >> (8 * slice)) & 0xff];
  }
  for (; bytes; ++data, --bytes)
    crc = (crc >> 8) ^ kTables[0][(crc ^ *data) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
hardware(const uint8_t *data, size_t bytes, uint32_t crc) {
  uint64_t wide = crc;
  for (; bytes >= 8; data += 8, bytes -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (; bytes; ++data, --bytes)
    crc = _mm_crc32_u8(crc, *data);
  return crc;
}
#endif

uint32_t acc::crc32c(const void *data, size_t bytes, uint32_t before) {
  const auto *from = static_cast<const uint8_t *>(data);
#if defined(__x86_64__)
  static const bool supported = __builtin_cpu_supports("sse4.2");
  if (supported)
    return ~hardware(from, bytes, ~before);
#endif
  return ~portable(from, bytes, ~before);
}
