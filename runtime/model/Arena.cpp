#include "Arena.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace acc;

static uint64_t alignTo(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// Repeats a pattern, doubling what is there already.
static void fill(uint8_t *to, uint64_t bytes, const std::string &pattern) {
  uint64_t done = std::min<uint64_t>(bytes, pattern.size());
  std::memcpy(to, pattern.data(), done);
  while (done < bytes) {
    uint64_t step = std::min(done, bytes - done);
    std::memcpy(to + done, to, step);
    done += step;
  }
}

Arena::Arena(const ModelFile &file, const Metadata &metadata,
             const std::vector<uint64_t> &tableBytes) {
  // The constants of the file come first, so that they can be mapped.
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  std::string_view stored =
      file.constants().substr(metadata.data.offset, metadata.data.bytes);
  uint64_t mapped = alignTo(stored.size(), page);
  size = mapped;
  auto place = [&](uint64_t bytes) {
    uint64_t offset = alignTo(size + metadata.guardBytes, metadata.alignment);
    // Something lies between any two buffers, and every buffer has an address
    // of its own.
    size = offset + std::max<uint64_t>(bytes, 1) + metadata.guardBytes;
    return offset;
  };
  std::vector<uint64_t> constantAt, inputAt, outputAt, tableAt;
  for (const ConstantInfo &info : metadata.constants)
    constantAt.push_back(info.splat.empty() ? info.offset : place(info.bytes));
  // What has no fixed size gets its memory in a run.
  constexpr uint64_t none = ~uint64_t(0);
  for (const TensorInfo &info : metadata.inputs)
    inputAt.push_back(info.isFixed() ? place(info.bytes) : none);
  for (const TensorInfo &info : metadata.outputs)
    outputAt.push_back(info.isFixed() ? place(info.bytes) : none);
  for (uint64_t bytes : tableBytes)
    tableAt.push_back(place(bytes));
  uint64_t workspaceAt = place(metadata.workspaceBytes);
  size = alignTo(size, page);

  // Host addresses are as aligned as device addresses, beyond pages too.
  uint64_t slack = metadata.alignment > page ? metadata.alignment : 0;
  void *reserved = ::mmap(nullptr, size + slack, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED)
    throw ModelError(ACC_ERROR_MEMORY,
                     "cannot reserve " + std::to_string(size) +
                         " bytes for the model: " + std::strerror(errno));
  auto address = reinterpret_cast<uint64_t>(reserved);
  uint64_t start = slack ? alignTo(address, metadata.alignment) : address;
  if (start != address)
    ::munmap(reserved, start - address);
  if (uint64_t tail = address + size + slack - (start + size))
    ::munmap(reinterpret_cast<void *>(start + size), tail);
  base = reinterpret_cast<uint8_t *>(start);

  uint64_t offset = file.constantsOffset() + metadata.data.offset;
  if (offset % page) {
    // Sections begin where pages of 4096 bytes do, and some processors have
    // larger ones.
    std::memcpy(base, stored.data(), stored.size());
  } else if (mapped) {
    void *at =
        ::mmap(base, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
               file.descriptor(), static_cast<off_t>(offset));
    if (at == MAP_FAILED) {
      int reason = errno;
      ::munmap(base, size);
      throw ModelError(ACC_ERROR_MEMORY,
                       std::string("cannot map the model's constants: ") +
                           std::strerror(reason));
    }
  }
  for (size_t i = 0; i < constantAt.size(); ++i) {
    const ConstantInfo &info = metadata.constants[i];
    constants.push_back(base + constantAt[i]);
    if (!info.splat.empty())
      fill(base + constantAt[i], info.bytes, info.splat);
  }
  for (uint64_t at : inputAt)
    inputs.push_back(at == none ? nullptr : base + at);
  for (uint64_t at : outputAt)
    outputs.push_back(at == none ? nullptr : base + at);
  for (uint64_t at : tableAt)
    tables.push_back(base + at);
  workspace = base + workspaceAt;
}

Arena::~Arena() { ::munmap(base, size); }
