#include "Metadata.h"
#include "Dtypes.h"
#include "Guards.h"
#include "Processor.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <utility>

using namespace acc;
using nlohmann::json;

/// Sizes beyond this are a mistake; sums of a few stay within 64 bits.
static constexpr uint64_t kLimit = uint64_t(1) << 46;

/// What sections and their parts begin at a multiple of.
static constexpr uint64_t kPage = 4096;

std::optional<uint64_t> acc::checkedBytes(uint64_t elementBytes,
                                          const int64_t *sizes, size_t rank) {
  uint64_t bytes = elementBytes;
  bool empty = false;
  for (size_t i = 0; i < rank; ++i) {
    if (sizes[i] < 0 || static_cast<uint64_t>(sizes[i]) > kLimit)
      return std::nullopt;
    empty |= sizes[i] == 0;
    // What is beyond the limit need not stay exact.
    bytes = static_cast<uint64_t>(std::min<unsigned __int128>(
        static_cast<unsigned __int128>(bytes) * static_cast<uint64_t>(sizes[i]),
        kLimit + 1));
  }
  if (empty)
    return 0;
  return bytes > kLimit ? std::nullopt : std::optional(bytes);
}

bool TensorInfo::isFixed() const {
  return std::find(dims.begin(), dims.end(), -1) == dims.end();
}

uint64_t TensorInfo::elementBytes() const { return kDtypes[dtype].bytes; }

std::optional<uint64_t> TensorInfo::bytesOf(const int64_t *sizes) const {
  return checkedBytes(elementBytes(), sizes, dims.size());
}

std::string TensorInfo::shapeText() const {
  std::string text;
  for (size_t i = 0; i < dims.size(); ++i) {
    text += i ? ", " : "";
    if (dims[i] >= 0)
      text += std::to_string(dims[i]);
    else
      text += symbols[i].empty() ? "?" : symbols[i];
  }
  return "[" + text + "]";
}

namespace {

/// Reads one value after the other; the first one amiss ends it.
class Parser {
public:
  explicit Parser(const std::string &path) : path(path) {}

  [[noreturn]] void fail(const std::string &what) const {
    throw ModelError(ACC_ERROR_FORMAT,
                     "'" + path + "' has malformed metadata: " + what);
  }
  const json &list(const json &parent, const char *key) const {
    auto it = parent.find(key);
    if (it == parent.end() || !it->is_array())
      fail(std::string("'") + key + "' is not a list");
    for (const json &item : *it)
      if (!item.is_object())
        fail(std::string("'") + key + "' has an item that is not an object");
    return *it;
  }
  uint64_t size(const json &parent, const char *key) const {
    auto it = parent.find(key);
    if (it == parent.end() || !it->is_number_unsigned() ||
        it->get<uint64_t>() > kLimit)
      fail(std::string("'") + key + "' is not a size");
    return it->get<uint64_t>();
  }
  std::string text(const json &parent, const char *key) const {
    auto it = parent.find(key);
    if (it == parent.end() || !it->is_string())
      fail(std::string("'") + key + "' is not a text");
    return it->get<std::string>();
  }
  std::vector<TensorInfo> tensors(const json &parent, const char *key) const {
    std::vector<TensorInfo> result;
    for (const json &item : list(parent, key))
      result.push_back(tensor(item));
    return result;
  }
  ConstantInfo constant(const json &item, uint64_t limit) const;
  ProgramInfo program(const json &item, uint64_t limit) const;
  std::string layer(const json &item) const;
  void code(const json &item, const ModelFile &file, Metadata &metadata,
            bool isFirst) const;
  Section range(const json &item, uint64_t limit) const {
    Section section{size(item, "offset"), size(item, "bytes")};
    if (section.bytes > limit || section.offset > limit - section.bytes)
      fail("a range lies outside of its section");
    return section;
  }

private:
  TensorInfo tensor(const json &item) const;

  const std::string &path;
};

} // namespace

TensorInfo Parser::tensor(const json &item) const {
  TensorInfo info;
  info.name = text(item, "name");
  std::string dtype = text(item, "dtype");
  auto known = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                            [&](const Dtype &d) { return dtype == d.name; });
  if (known == std::end(kDtypes))
    fail("unknown dtype '" + dtype + "'");
  info.dtype = static_cast<acc_dtype>(known - std::begin(kDtypes));
  if (auto anywhere = item.find("anywhere"); anywhere != item.end()) {
    if (!anywhere->is_boolean())
      fail("'anywhere' is neither true nor false");
    info.isAnywhere = anywhere->get<bool>();
  }
  auto shape = item.find("shape");
  if (shape == item.end() || !shape->is_array())
    fail("'shape' is not a list");
  for (const json &dim : *shape) {
    info.symbols.emplace_back();
    if (dim.is_string()) {
      std::string symbol = dim.get<std::string>();
      if (symbol != "?")
        info.symbols.back() = symbol;
      info.dims.push_back(-1);
      continue;
    }
    if (!dim.is_number_unsigned() || dim.get<uint64_t>() > kLimit)
      fail("a dimension of '" + info.name + "' is not a size");
    info.dims.push_back(dim.get<int64_t>());
  }
  if (!info.isFixed())
    return info;
  auto bytes = info.bytesOf(info.dims.data());
  if (!bytes)
    fail("'" + info.name + "' is too large");
  info.bytes = *bytes;
  return info;
}

ConstantInfo Parser::constant(const json &item, uint64_t limit) const {
  ConstantInfo info;
  if (!item.contains("splat")) {
    Section section = range(item, limit);
    info.offset = section.offset;
    info.bytes = section.bytes;
    return info;
  }
  info.bytes = size(item, "bytes");
  std::string digits = text(item, "splat");
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    auto nibble = [&](char c) {
      if (c >= '0' && c <= '9')
        return c - '0';
      if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
      fail("a splat is not in hexadecimal");
    };
    info.splat +=
        static_cast<char>(nibble(digits[i]) * 16 + nibble(digits[i + 1]));
  }
  if (info.splat.empty() || digits.size() % 2 || info.bytes % info.splat.size())
    fail("a splat does not fill its constant");
  return info;
}

ProgramInfo Parser::program(const json &item, uint64_t limit) const {
  ProgramInfo info;
  info.bytes = range(item, limit);
  // Files from when there was one instruction set do not say.
  info.instructionSet = item.contains("instruction_set")
                            ? text(item, "instruction_set")
                            : firstInstructionSet();
  if (!item.contains("buffers"))
    return info;
  for (const json &entry : list(item, "buffers")) {
    TensorInfo buffer = tensor(entry);
    if (!buffer.isFixed())
      fail("buffer '" + buffer.name + "' of a program has no fixed size");
    auto written = entry.find("written");
    if (written != entry.end() && !written->is_boolean())
      fail("'written' is neither true nor false");
    info.buffers.push_back({buffer.name, buffer.bytes, buffer.dtype,
                            std::move(buffer.dims),
                            written == entry.end() || written->get<bool>()});
  }
  return info;
}

/// The first ONNX nodes of a kernel; what stands for none has a name of its
/// own.
std::string Parser::layer(const json &item) const {
  constexpr size_t shown = 3;
  std::string name;
  size_t count = 0;
  auto nodes = item.find("layers");
  if (nodes != item.end() && nodes->is_array())
    for (const json &node : *nodes)
      if (node.is_string() && count++ < shown)
        name += (count > 1 ? " + " : "") + node.get<std::string>();
  if (count > shown)
    name += " + ...";
  if (name.empty() && item.contains("kernel"))
    name = "(" + text(item, "kernel") + ")";
  return name;
}

/// Reads the code for one processor, and what comes with it. It is kept if it
/// is the first, or this machine runs it: the last of them is the best.
void Parser::code(const json &item, const ModelFile &file, Metadata &metadata,
                  bool isFirst) const {
  Metadata own;
  auto part = [&](const char *key, std::string_view whole) {
    auto found = item.find(key);
    if (found == item.end() && isFirst)
      return Section{0, whole.size()};
    if (found == item.end() || !found->is_object())
      fail(std::string("'") + key + "' is not a range");
    return range(*found, whole.size());
  };
  own.code = part("code", file.image());
  own.data = part("data", file.constants());
  if (own.code.offset % kPage || own.data.offset % kPage)
    fail("code or constants do not begin at a page");
  own.workspaceBytes = size(item, "workspace_bytes");
  if (item.contains("cpu"))
    own.cpu = text(item, "cpu");
  for (const json &entry : list(item, "constants")) {
    own.constants.push_back(constant(entry, own.data.bytes));
    if (own.constants.back().offset % metadata.alignment)
      fail("a constant is not aligned");
  }
  auto features = item.find("cpu_features");
  if (features != item.end() && !features->is_array())
    fail("'cpu_features' is not a list");
  if (features != item.end())
    for (const json &feature : *features)
      if (feature.is_string())
        own.cpuFeatures.push_back(feature.get<std::string>());
  if (!isFirst && missingFeature(own.cpuFeatures))
    return;
  metadata.constants = std::move(own.constants);
  metadata.workspaceBytes = own.workspaceBytes;
  metadata.cpu = std::move(own.cpu);
  metadata.cpuFeatures = std::move(own.cpuFeatures);
  metadata.code = own.code;
  metadata.data = own.data;
}

Metadata Metadata::parse(const ModelFile &file, const std::string &path) {
  Parser parser(path);
  json root = json::parse(file.metadata(), nullptr, /*allow_exceptions=*/false);
  if (!root.is_object())
    parser.fail("it is not a JSON object");
  Metadata metadata;
  metadata.inputs = parser.tensors(root, "inputs");
  metadata.outputs = parser.tensors(root, "outputs");
  metadata.alignment = parser.size(root, "alignment");
  if (!std::has_single_bit(metadata.alignment) || metadata.alignment < 64 ||
      metadata.alignment > (1 << 20))
    parser.fail("'alignment' is not a power of two from 64 up");
  if (root.contains("guard_bytes"))
    metadata.guardBytes = parser.size(root, "guard_bytes");
  if (metadata.guardBytes && metadata.guardBytes < Guards::kBytes)
    parser.fail("'guard_bytes' is less than " + std::to_string(Guards::kBytes));
  if (root.contains("threads"))
    metadata.threads = static_cast<int32_t>(
        std::min<uint64_t>(parser.size(root, "threads"), ACC_MOST_THREADS));
  parser.code(root, file, metadata, /*isFirst=*/true);
  if (root.contains("levels"))
    for (const json &level : parser.list(root, "levels"))
      parser.code(level, file, metadata, /*isFirst=*/false);
  for (const json &item : parser.list(root, "programs"))
    metadata.programs.push_back(parser.program(item, file.programs().size()));
  if (root.contains("layers"))
    for (const json &item : parser.list(root, "layers"))
      metadata.layers.push_back(parser.layer(item));
  return metadata;
}
