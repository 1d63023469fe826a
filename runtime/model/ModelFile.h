/// The file of a compiled model: an ELF image, then metadata, accelerator
/// programs and constants, then a footer (docs/model-format.md).

#ifndef ACC_RUNTIME_MODEL_MODELFILE_H
#define ACC_RUNTIME_MODEL_MODELFILE_H

#include "acc/runtime.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace acc {

/// What the functions of the C interface report.
class ModelError : public std::runtime_error {
public:
  ModelError(acc_status status, const std::string &message)
      : std::runtime_error(message), status(status) {}
  const acc_status status;
};

/// A file mapped for reading.
class MappedFile {
public:
  explicit MappedFile(const std::string &path);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  std::string_view bytes() const { return {data, size}; }
  int descriptor() const { return fd; }

private:
  int fd = -1;
  const char *data = nullptr;
  size_t size = 0;
};

/// A range of the file.
struct Section {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

/// The last bytes of the file, little-endian.
struct Footer {
  char magic[8];
  uint32_t version;
  /// CRC-32C of all bytes of the file but these four.
  uint32_t checksum;
  uint64_t fileBytes;
  Section image, metadata, programs, constants;
};
static_assert(sizeof(Footer) == 88);

inline constexpr char kModelMagic[8] = {'A', 'C', 'C', 'M', 'O', 'D', 'E', 'L'};
inline constexpr uint32_t kModelVersion = 4;
/// The same with code that calls the hooks for guards.
inline constexpr uint32_t kGuardedVersion = 5;
/// The same with code that calls the hook for threads, with guards or without.
inline constexpr uint32_t kParallelVersion = 6;

/// A file that has passed every check: what it says about itself is true, and
/// all sections are inside. Throws ModelError otherwise.
class ModelFile {
public:
  explicit ModelFile(const std::string &path);

  std::string_view image() const { return view(footer.image); }
  std::string_view metadata() const { return view(footer.metadata); }
  std::string_view programs() const { return view(footer.programs); }
  std::string_view constants() const { return view(footer.constants); }
  uint64_t constantsOffset() const { return footer.constants.offset; }
  int descriptor() const { return file.descriptor(); }

private:
  std::string_view view(const Section &section) const {
    return file.bytes().substr(section.offset, section.bytes);
  }
  void checkFooter(const std::string &path);
  void checkImage(const std::string &path) const;

  MappedFile file;
  Footer footer = {};
};

} // namespace acc

#endif // ACC_RUNTIME_MODEL_MODELFILE_H
