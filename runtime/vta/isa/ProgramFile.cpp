#include "acc/vta/isa/ProgramFile.h"

#include <cstring>

using namespace acc::vta::isa;

static constexpr char kMagic[8] = {'A', 'C', 'C', 'V', 'T', 'A', 'P', '1'};

namespace {

/// Appends little-endian values and length-prefixed arrays.
class Writer {
public:
  template <typename T> void value(T item) {
    text.append(reinterpret_cast<const char *>(&item), sizeof(T));
  }
  void string(std::string_view item) {
    value<uint64_t>(item.size());
    text.append(item);
  }
  template <typename T> void array(const std::vector<T> &items) {
    value<uint64_t>(items.size());
    text.append(reinterpret_cast<const char *>(items.data()),
                items.size() * sizeof(T));
  }
  std::string text;
};

/// Reads them back; once anything is missing, everything is.
class Reader {
public:
  explicit Reader(std::string_view bytes) : bytes(bytes) {}

  template <typename T> T value() {
    T item = {};
    if (const char *from = take(sizeof(T)))
      std::memcpy(&item, from, sizeof(T));
    return item;
  }
  std::string string() {
    uint64_t size = value<uint64_t>();
    const char *from = take(size);
    return from ? std::string(from, size) : std::string();
  }
  template <typename T> std::vector<T> array() {
    uint64_t count = value<uint64_t>();
    if (count > bytes.size() / sizeof(T)) {
      good = false;
      return {};
    }
    std::vector<T> items(count);
    if (count)
      std::memcpy(items.data(), take(count * sizeof(T)), count * sizeof(T));
    return items;
  }
  bool ok() const { return good; }
  bool atEnd() const { return good && bytes.empty(); }

private:
  const char *take(uint64_t size) {
    if (!good || size > bytes.size()) {
      good = false;
      return nullptr;
    }
    const char *from = bytes.data();
    bytes.remove_prefix(size);
    return from;
  }

  std::string_view bytes;
  bool good = true;
};

} // namespace

static bool inRange(const std::vector<int32_t> &indices, size_t limit) {
  for (int32_t index : indices)
    if (index != Program::kNone &&
        (index < 0 || static_cast<size_t>(index) >= limit))
      return false;
  return true;
}

std::string acc::vta::isa::writeProgram(const Program &program) {
  Writer out;
  out.text.append(kMagic, sizeof(kMagic));
  out.string(program.config.toJson());
  out.array(program.encode());
  out.array(program.uops);
  out.value<int32_t>(program.uopBuffer);
  out.value<uint64_t>(program.buffers.size());
  for (const Buffer &buffer : program.buffers) {
    out.string(buffer.name);
    out.value<uint64_t>(buffer.bytes);
  }
  out.array(program.bufferOf);
  out.value<uint64_t>(program.layers.size());
  for (const std::string &layer : program.layers)
    out.string(layer);
  out.array(program.layerOf);
  return std::move(out.text);
}

/// Reads what precedes the instructions; the reason if that is not possible.
static std::optional<Config> readHead(Reader &in, std::string_view bytes,
                                      std::string *error) {
  auto fail = [&](std::string reason) -> std::optional<Config> {
    if (error)
      *error = std::move(reason);
    return std::nullopt;
  };
  if (bytes.size() < sizeof(kMagic) ||
      std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0)
    return fail("not an accelerator program");
  in = Reader(bytes.substr(sizeof(kMagic)));
  std::vector<std::string> problems;
  std::optional<Config> config = Config::fromJson(in.string(), problems);
  if (!config)
    return fail("illegal hardware configuration: " +
                (problems.empty() ? "" : problems.front()));
  return config;
}

std::optional<Config> acc::vta::isa::readConfig(std::string_view bytes,
                                                std::string *error) {
  Reader in({});
  return readHead(in, bytes, error);
}

std::optional<Program> acc::vta::isa::readProgram(std::string_view bytes,
                                                  std::string *error) {
  auto fail = [&](std::string reason) -> std::optional<Program> {
    if (error)
      *error = std::move(reason);
    return std::nullopt;
  };
  Reader in({});
  std::optional<Config> config = readHead(in, bytes, error);
  if (!config)
    return std::nullopt;
  std::string reason;
  std::optional<Program> program =
      Program::decode(*config, in.array<Word128>(), &reason);
  if (!program)
    return fail(reason);
  program->uops = in.array<uint32_t>();
  program->uopBuffer = in.value<int32_t>();
  for (uint64_t i = 0, count = in.value<uint64_t>(); i < count && in.ok();
       ++i) {
    std::string name = in.string();
    program->buffers.push_back({std::move(name), in.value<uint64_t>()});
  }
  program->bufferOf = in.array<int32_t>();
  for (uint64_t i = 0, count = in.value<uint64_t>(); i < count && in.ok(); ++i)
    program->layers.push_back(in.string());
  program->layerOf = in.array<int32_t>();
  if (!in.atEnd())
    return fail("the program is truncated or has bytes to spare");
  if (program->bufferOf.size() > program->insns.size() ||
      program->layerOf.size() > program->insns.size() ||
      !inRange(program->bufferOf, program->buffers.size()) ||
      !inRange(program->layerOf, program->layers.size()) ||
      !inRange({program->uopBuffer}, program->buffers.size()))
    return fail("an index of the program is out of range");
  return program;
}
