#include "ModelFile.h"
#include "Checksum.h"
#include "Processor.h"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace acc;

static constexpr uint64_t kPage = 4096;

MappedFile::MappedFile(const std::string &path) {
  auto fail = [&](const std::string &reason) {
    if (fd >= 0)
      ::close(fd);
    throw ModelError(ACC_ERROR_IO, "cannot read '" + path + "': " + reason);
  };
  // Not blocking: opening a FIFO must not wait for its other end.
  fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    fail(std::strerror(errno));
  struct stat status;
  if (::fstat(fd, &status))
    fail(std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    fail(S_ISDIR(status.st_mode) ? "it is a directory"
                                 : "it is not a regular file");
  size = static_cast<size_t>(status.st_size);
  if (!size)
    return;
  void *mapped =
      ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (mapped == MAP_FAILED)
    fail(std::strerror(errno));
  data = static_cast<const char *>(mapped);
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<char *>(data), size);
  ::close(fd);
}

[[noreturn]] static void refuse(const std::string &path,
                                const std::string &reason) {
  throw ModelError(ACC_ERROR_FORMAT, "'" + path + "' " + reason);
}

ModelFile::ModelFile(const std::string &path) : file(path) {
  checkFooter(path);
  checkImage(path);
}

void ModelFile::checkFooter(const std::string &path) {
  std::string_view all = file.bytes();
  bool isElf = all.substr(0, SELFMAG) == std::string_view(ELFMAG, SELFMAG);
  if (!isElf)
    refuse(path, all.empty() ? "is empty" : "is not a model compiled by acc");
  if (all.size() < sizeof(Footer))
    refuse(path, "is not a model compiled by acc, or truncated");
  std::memcpy(&footer, all.data() + all.size() - sizeof(Footer),
              sizeof(Footer));
  if (std::memcmp(footer.magic, kModelMagic, sizeof(kModelMagic)))
    refuse(path, "is a shared object but not a model compiled by acc, or "
                 "truncated");
  if (footer.version < kModelVersion || footer.version > kParallelVersion)
    throw ModelError(
        ACC_ERROR_VERSION,
        "'" + path + "' has version " + std::to_string(footer.version) +
            " of the model format, this runtime reads versions " +
            std::to_string(kModelVersion) + " to " +
            std::to_string(kParallelVersion) + ": compile the model again");
  if (footer.fileBytes != all.size())
    refuse(path, "is truncated or has bytes to spare: it was written with " +
                     std::to_string(footer.fileBytes) + " bytes and has " +
                     std::to_string(all.size()));
  size_t before = all.size() - sizeof(Footer) + offsetof(Footer, checksum);
  size_t after = before + sizeof(footer.checksum);
  uint32_t checksum = crc32c(all.data(), before);
  checksum = crc32c(all.data() + after, all.size() - after, checksum);
  if (checksum != footer.checksum)
    refuse(path, "is corrupted: its checksum does not match its contents");
  // What the checksum cannot tell: whether the writer was sane.
  uint64_t end = 0;
  for (const Section &section :
       {footer.image, footer.metadata, footer.programs, footer.constants}) {
    if (section.offset % kPage || section.offset < end ||
        section.bytes > all.size() ||
        section.offset > all.size() - section.bytes)
      refuse(path, "is malformed: a section lies outside of the file");
    end = section.offset + section.bytes;
  }
  if (footer.image.offset || end > all.size() - sizeof(Footer))
    refuse(path, "is malformed: a section lies outside of the file");
}

void ModelFile::checkImage(const std::string &path) const {
  Elf64_Ehdr header;
  if (image().size() < sizeof(header))
    refuse(path, "is malformed: it has no code");
  std::memcpy(&header, image().data(), sizeof(header));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != kOwnMachine) {
    std::string triple = tripleOf(header.e_machine),
                own = tripleOf(kOwnMachine);
    throw ModelError(ACC_ERROR_VERSION,
                     "'" + path + "' was compiled for another processor" +
                         (triple.empty() ? "" : ", " + triple) +
                         ": this machine is " + own +
                         ", compile the model with --triple " + own);
  }
  if (header.e_type != ET_DYN)
    refuse(path, "is malformed: its code is not a shared object");
}
