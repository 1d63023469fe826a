#include "Guards.h"
#include "Checksum.h"

#include <algorithm>
#include <cstring>
#include <utility>

using namespace acc;

/// What a guard holds: neither zero nor minus one, and different from byte to
/// byte, as what a store that is too wide writes is not. It depends on the
/// address alone, because the guards of two buffers may overlap.
static uint8_t patternAt(const uint8_t *byte) {
  return static_cast<uint8_t>(0x5a + 37 * reinterpret_cast<uintptr_t>(byte));
}

static void fillGuard(uint8_t *guard) {
  for (uint64_t i = 0; i < Guards::kBytes; ++i)
    guard[i] = patternAt(guard + i);
}

/// How far from the buffer the farthest byte is that was overwritten; 0 if none
/// was.
static uint64_t findDamage(const uint8_t *guard, bool behind) {
  for (uint64_t distance = Guards::kBytes; distance > 0; --distance) {
    const uint8_t *byte =
        guard + (behind ? distance - 1 : Guards::kBytes - distance);
    if (*byte != patternAt(byte))
      return distance;
  }
  return 0;
}

static std::string bytesText(uint64_t bytes) {
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

void Guards::add(const char *name, void *memory, uint64_t bytes, void *writable,
                 uint64_t writableBytes) {
  auto *begin = static_cast<uint8_t *>(memory);
  auto known =
      std::find_if(watched.begin(), watched.end(), [&](const Buffer &buffer) {
        return buffer.memory.begin == begin;
      });
  if (known == watched.end()) {
    watched.push_back({name, {begin, begin + bytes}, {}, 0});
    known = watched.end() - 1;
  }
  if (!writable)
    return;
  auto *start = static_cast<uint8_t *>(writable);
  known->name = name;
  known->writable.push_back({start, start + writableBytes});
}

void Guards::begin() {
  violation.reset();
  for (Buffer &buffer : watched) {
    std::sort(buffer.writable.begin(), buffer.writable.end(),
              [](const Range &a, const Range &b) { return a.begin < b.begin; });
    buffer.checksum = checksum(buffer);
  }
  // Only now: nothing of a buffer can be in the guards of another.
  for (const Buffer &buffer : watched) {
    fillGuard(buffer.memory.begin - kBytes);
    fillGuard(buffer.memory.end);
  }
}

uint32_t Guards::checksum(const Buffer &buffer) {
  uint32_t sum = 0;
  const uint8_t *at = buffer.memory.begin;
  auto add = [&](const uint8_t *end) {
    if (at < end)
      sum = crc32c(at, static_cast<size_t>(end - at), sum);
  };
  for (const Range &range : buffer.writable) {
    add(range.begin);
    at = std::max<const uint8_t *>(at, range.end);
  }
  add(buffer.memory.end);
  return sum;
}

std::optional<std::string> Guards::checkGuards(const Buffer &buffer) {
  const auto size =
      static_cast<uint64_t>(buffer.memory.end - buffer.memory.begin);
  const std::string of =
      " of " + buffer.name + ", which has " + bytesText(size);
  if (uint64_t bytes = findDamage(buffer.memory.end, /*behind=*/true))
    return "wrote " + bytesText(bytes) + " past the end" + of;
  if (uint64_t bytes =
          findDamage(buffer.memory.begin - kBytes, /*behind=*/false))
    return "wrote " + bytesText(bytes) + " before the start" + of;
  return std::nullopt;
}

std::optional<std::string> Guards::check() {
  for (const Buffer &buffer : watched) {
    if (violation)
      break;
    violation = checkGuards(buffer);
    if (!violation && checksum(buffer) != buffer.checksum)
      violation = buffer.writable.empty()
                      ? "changed " + buffer.name
                      : "wrote outside of its part of " + buffer.name;
  }
  watched.clear();
  return std::exchange(violation, std::nullopt);
}

void Guards::beginRow(const void *end) { std::memcpy(behindRow, end, kBytes); }

void Guards::endRow(const void *end) {
  const auto *now = static_cast<const uint8_t *>(end);
  uint64_t bytes = kBytes;
  while (bytes > 0 && now[bytes - 1] == behindRow[bytes - 1])
    --bytes;
  if (bytes == 0 || violation)
    return;
  std::string where = "a buffer";
  for (const Buffer &buffer : watched)
    if (now > buffer.memory.begin && now <= buffer.memory.end)
      where = buffer.name + ", at byte " +
              std::to_string(now - buffer.memory.begin);
  violation =
      "wrote " + bytesText(bytes) + " past the end of a row of " + where;
}
