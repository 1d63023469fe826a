/// Finds writes outside of buffers and rows, in models compiled with guards.

#ifndef ACC_RUNTIME_MODEL_GUARDS_H
#define ACC_RUNTIME_MODEL_GUARDS_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace acc {

/// Watches the memory of one kernel at a time: `add` for all its buffers and
/// `begin` before it, `check` after it. Every buffer has kBytes of its own
/// before and behind it, which hold a pattern; what the kernel only reads, it
/// must leave as it is.
class Guards {
public:
  static constexpr uint64_t kBytes = 64;

  /// The kernel is given \p memory, and may write \p writable of it, nothing if
  /// that is null.
  void add(const char *name, void *memory, uint64_t bytes, void *writable,
           uint64_t writableBytes);
  void begin();
  /// The first violation since `begin`, in words that follow the kernel's name.
  std::optional<std::string> check();

  /// Around a store that ends at \p end: what is behind it must stay the same.
  void beginRow(const void *end);
  void endRow(const void *end);

private:
  struct Range {
    uint8_t *begin, *end;
  };
  struct Buffer {
    std::string name;
    Range memory;
    /// What the kernel may write, in ascending order.
    std::vector<Range> writable;
    /// The checksum of all other bytes.
    uint32_t checksum;
  };

  static uint32_t checksum(const Buffer &buffer);
  static std::optional<std::string> checkGuards(const Buffer &buffer);

  std::vector<Buffer> watched;
  uint8_t behindRow[kBytes] = {};
  std::optional<std::string> violation;
};

} // namespace acc

#endif // ACC_RUNTIME_MODEL_GUARDS_H
