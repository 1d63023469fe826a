//===- Config.cpp - Hardware configuration --------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Config.h"
#include "acc/vta/isa/Requantize.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cctype>
#include <set>

using namespace acc::vta::isa;

namespace {

using Key = Config::Key;

// The widths are checked further by validate(); the bounds here keep every
// derived value within 64 bits.
constexpr Key kKeys[] = {
#define GET_CONFIG_KEYS
#include "acc/vta/isa/Facts.inc"
};

/// The key of a member.
const Key &keyOf(int Config::*member) {
  return *std::find_if(std::begin(kKeys), std::end(kKeys),
                       [&](const Key &k) { return k.member == member; });
}

/// A memory of its own, and the key of its size.
struct Scratchpad {
  Memory memory;
  const char *key;
  int Config::*size;
};

constexpr Scratchpad kScratchpads[] = {
#define GET_CONFIG_SCRATCHPADS
#include "acc/vta/isa/Facts.inc"
};

const Scratchpad &scratchpadOf(Memory memory) {
  return *std::find_if(
      std::begin(kScratchpads), std::end(kScratchpads),
      [&](const Scratchpad &pad) { return pad.memory == memory; });
}

/// Further keys with a meaning.
constexpr const char *kOtherKeys[] = {
    "LOG_BLOCK", "LOG_OUT_WIDTH", "LOG_OUT_BUFF_SIZE", "LOG_UOP_WIDTH",
    "TARGET",    "HW_VER",        "ALU_OPCODE_4"};

/// Keys of other tools that look like sizes of the accelerator.
constexpr const char *kForeignSizes[] = {"LOG_BUS_WIDTH"};
/// Intel's hardware takes as many bits away from the loop factors of its
/// instructions.
constexpr const char *kFactorSizes[] = {"LOG_INP_FACTOR_RESTRICT",
                                        "LOG_WGT_FACTOR_RESTRICT",
                                        "LOG_ACC_FACTOR_RESTRICT"};

template <typename List> bool contains(const List &list, std::string_view key) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

bool isKnown(std::string_view key) {
  return contains(kOtherKeys, key) ||
         std::any_of(std::begin(kKeys), std::end(kKeys),
                     [&](const Key &k) { return key == k.name; });
}

std::string inQuotes(std::string_view text) {
  return "'" + std::string(text) + "'";
}

/// How many letters have to be inserted, removed, replaced or swapped with
/// their neighbours to make one text of the other.
size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1,
                                     std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1,
           d[i - 1][j - 1] + static_cast<size_t>(a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

/// The key that an unknown one is meant to be, or "". `log_block`, `BLOCK`,
/// `VTA_LOG_BLOCK` and `LOG_BLOK` are all meant to be LOG_BLOCK. Names without
/// LOG_ may be those of other tools, so they must differ in nothing else.
std::string intendedKey(std::string_view key) {
  std::string text;
  for (char c : key)
    text +=
        c == '-' || c == ' '
            ? '_'
            : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (text.starts_with("VTA_"))
    text.erase(0, 4);
  for (const std::string &candidate : {text, "LOG_" + text})
    if (isKnown(candidate))
      return candidate;
  // Letters that are wrong as well.
  size_t best = 3;
  std::string closest;
  auto consider = [&](const char *name) {
    if (!std::string_view(name).starts_with("LOG_"))
      return;
    if (size_t distance = editDistance(text, name); distance < best) {
      best = distance;
      closest = name;
    }
  };
  for (const Key &k : kKeys)
    consider(k.name);
  for (const char *name : kOtherKeys)
    consider(name);
  return closest;
}

/// What stands before the configuration itself is read: whether the text is
/// JSON, where it is not, and keys that occur twice, of which a parser would
/// silently take one.
class Scanner final : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit Scanner(std::string_view text) : text(text) {}

  std::string problem;
  std::vector<std::string> repeated;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t &) override { return true; }
  bool string(string_t &) override { return true; }
  bool binary(binary_t &) override { return true; }
  bool start_object(std::size_t) override { return ++depth, true; }
  bool end_object() override { return --depth, true; }
  bool start_array(std::size_t) override { return ++depth, true; }
  bool end_array() override { return --depth, true; }
  bool key(string_t &name) override {
    if (depth == 1 && !keys.insert(name).second)
      repeated.push_back(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string &token,
                   const nlohmann::detail::exception &error) override {
    // The text of the exception has a number and a place of its own in front.
    std::string_view said = error.what();
    for (std::string_view mark : {"] ", ": ", " - "})
      if (size_t at = said.find(mark); at != std::string_view::npos)
        said.remove_prefix(at + mark.size());
    // What was read of the text, without the string, number or character that
    // cannot stand there.
    std::string_view read = text.substr(0, position);
    bool isToken = token.find_first_of("\"-0123456789") == 0 &&
                   read.ends_with(token) &&
                   token.find_first_of("\" \t\r\n", 1) >= token.size() - 1;
    if (position <= text.size())
      read.remove_suffix(isToken ? token.size()
                                 : std::min<size_t>(position, 1));
    size_t line = 1 + std::count(read.begin(), read.end(), '\n');
    size_t last = read.rfind('\n');
    size_t column =
        read.size() - (last == std::string_view::npos ? 0 : last + 1) + 1;
    problem = "not valid JSON: line " + std::to_string(line) + ", column " +
              std::to_string(column) + ": " + std::string(said);
    return false;
  }

private:
  std::string_view text;
  int depth = 0;
  std::set<std::string> keys;
};

void checkRange(const Key &key, int64_t value,
                std::vector<std::string> &problems) {
  if (value >= key.least && value <= key.most)
    return;
  std::string text =
      std::string(key.name) + " is " + std::to_string(value) + ", ";
  if (key.member == &Config::logAccWidth)
    text += "but accumulators are 32-bit: it must be 5";
  else
    text += "but must be from " + std::to_string(key.least) + " to " +
            std::to_string(key.most);
  problems.push_back(text);
}

/// Reads integer and string keys, whatever they come from, into a Config.
class Reader {
public:
  explicit Reader(std::vector<std::string> &problems) : problems(problems) {}

  void readInteger(const std::string &key, int64_t value) {
    if (key == "LOG_BLOCK") {
      logBlock = value;
      Key both = keyOf(&Config::logBlockIn);
      both.name = "LOG_BLOCK";
      checkRange(both, value, problems);
      return;
    }
    if (key == "LOG_OUT_WIDTH") {
      logOutWidth = value;
      return;
    }
    if (key == "LOG_OUT_BUFF_SIZE") {
      logOutBuffSize = value;
      return;
    }
    if (key == "LOG_UOP_WIDTH") {
      if (value != 5)
        problems.push_back("LOG_UOP_WIDTH is " + std::to_string(value) +
                           ", but micro-ops are 32-bit: it must be 5");
      return;
    }
    const Key *found =
        std::find_if(std::begin(kKeys), std::end(kKeys),
                     [&](const Key &k) { return key == k.name; });
    if (found == std::end(kKeys)) {
      refuse(key);
      return;
    }
    checkRange(*found, value, problems);
    if (found->member == &Config::logBlockIn)
      logBlockIn = value;
    if (found->member == &Config::logBlockOut)
      logBlockOut = value;
    config.*found->member =
        static_cast<int>(std::clamp<int64_t>(value, -1, 64));
  }

  void refuse(const std::string &key) {
    std::string intended = intendedKey(key);
    problems.push_back(
        "unknown key " + inQuotes(key) +
        (intended.empty() ? "" : ": did you mean " + inQuotes(intended) + "?"));
  }

  /// Resolves the keys that stand for others. Returns whether all is well.
  std::optional<Config> finish() {
    if (logBlock) {
      for (const auto &[name, given] :
           {std::pair{"LOG_BLOCK_IN", logBlockIn},
            std::pair{"LOG_BLOCK_OUT", logBlockOut}})
        if (given && *given != *logBlock)
          problems.push_back(
              std::string(name) + " is " + std::to_string(*given) +
              " but LOG_BLOCK, which stands for it, is " +
              std::to_string(*logBlock) + ": give only one of them");
      int value = static_cast<int>(std::clamp<int64_t>(*logBlock, -1, 64));
      if (!logBlockIn)
        config.logBlockIn = value;
      if (!logBlockOut)
        config.logBlockOut = value;
    }
    if (logOutWidth && *logOutWidth != config.logInpWidth)
      problems.push_back("LOG_OUT_WIDTH is " + std::to_string(*logOutWidth) +
                         " but outputs are as wide as inputs (LOG_INP_WIDTH " +
                         std::to_string(config.logInpWidth) + ")");
    int derived =
        config.logAccBuffSize - config.logAccWidth + config.logInpWidth;
    if (logOutBuffSize && *logOutBuffSize != derived)
      problems.push_back(
          "LOG_OUT_BUFF_SIZE is " + std::to_string(*logOutBuffSize) +
          " but follows from the accumulator buffer: it must be " +
          std::to_string(derived));
    if (!problems.empty())
      return std::nullopt;
    problems = config.validate();
    if (!problems.empty())
      return std::nullopt;
    return config;
  }

  Config config;

private:
  std::vector<std::string> &problems;
  std::optional<int64_t> logBlock, logBlockIn, logBlockOut, logOutWidth,
      logOutBuffSize;
};

} // namespace

/// JSON text; names that are not UTF-8 are made so.
static std::string dump(const nlohmann::json &value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

static std::string join(const std::vector<std::string> &keys) {
  std::string text;
  for (const std::string &key : keys)
    text += (text.empty() ? "" : ", ") + key;
  return text;
}

const char *acc::vta::isa::memoryName(Memory memory) {
  return kMemoryNames[static_cast<size_t>(memory)];
}

std::optional<Memory> acc::vta::isa::memoryFromName(std::string_view name) {
  for (size_t i = 0; i < std::size(kMemoryNames); ++i)
    if (name == kMemoryNames[i])
      return static_cast<Memory>(i);
  return std::nullopt;
}

std::span<const Key> Config::keys() { return kKeys; }

std::optional<Config> Config::fromJson(std::string_view text,
                                       std::vector<std::string> &problems,
                                       std::vector<std::string> *warnings) {
  problems.clear();
  Scanner scanner(text);
  nlohmann::json::sax_parse(text, &scanner);
  if (!scanner.problem.empty()) {
    problems.push_back(scanner.problem);
    return std::nullopt;
  }
  auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    problems.push_back("not a JSON object of keys and values");
    return std::nullopt;
  }
  for (const std::string &key : scanner.repeated)
    problems.push_back(inQuotes(key) + " is given twice");
  std::vector<std::string> ignored, narrowed;
  Reader reader(problems);
  for (const auto &[key, value] : json.items()) {
    if (key == "HW_VER") {
      reader.config.hwVersion =
          value.is_string() ? value.get<std::string>() : dump(value);
      continue;
    }
    if (key == "TARGET" || key == "ALU_OPCODE_4") {
      if (!value.is_string())
        problems.push_back(key + " must be a string");
      else if (key == "TARGET")
        reader.config.target = value.get<std::string>();
      else if (value.get<std::string>() != "MUL")
        problems.push_back(
            "ALU_OPCODE_4 must be 'MUL': the variant that shifts left is not "
            "supported");
      continue;
    }
    if (contains(kFactorSizes, key)) {
      (value == 0 ? ignored : narrowed).push_back(key);
      continue;
    }
    // Other tools keep further keys in the same file. Only what is meant to be
    // one of ours must not be overlooked.
    if (contains(kForeignSizes, key) ||
        (!key.starts_with("LOG_") && intendedKey(key).empty())) {
      ignored.push_back(key);
      continue;
    }
    if (!isKnown(key))
      reader.refuse(key);
    else if (value.is_number_unsigned() &&
             value.get<uint64_t>() >
                 static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      problems.push_back(key + " is out of range");
    else if (value.is_number_integer())
      reader.readInteger(key, value.get<int64_t>());
    else
      problems.push_back(key + " must be an integer, not " + dump(value));
  }
  if (warnings && !ignored.empty())
    warnings->push_back("ignored, as it says nothing about the accelerator: " +
                        join(ignored));
  if (warnings && !narrowed.empty())
    warnings->push_back(
        "not followed: " + join(narrowed) +
        "; instructions have loop factors of full width, so hardware made with "
        "narrower ones reads them otherwise");
  return reader.finish();
}

std::string Config::toJson(bool pretty) const {
  nlohmann::ordered_json json;
  json["TARGET"] = target;
  json["HW_VER"] = hwVersion;
  for (const Key &key : kKeys) {
    if (key.isExtension && this->*key.member == 0)
      continue;
    if (logBlockIn == logBlockOut && key.member == &Config::logBlockIn)
      json["LOG_BLOCK"] = logBlockIn;
    else if (logBlockIn != logBlockOut || key.member != &Config::logBlockOut)
      json[key.name] = this->*key.member;
  }
  // Published designs disagree about ALU opcode 4; ours multiplies.
  json["ALU_OPCODE_4"] = "MUL";
  return json.dump(pretty ? 2 : -1, ' ', false,
                   nlohmann::json::error_handler_t::replace);
}

int Config::logElementBits(Memory memory) const {
  switch (memory) {
#define GET_CONFIG_ELEMENT_BITS
#include "acc/vta/isa/Facts.inc"
  }
  return 3;
}

uint32_t Config::alignment() const {
  uint32_t largest = 1;
  for (int memory = 0; memory < kNumMemories; ++memory)
    largest = std::max(largest, elementBytes(static_cast<Memory>(memory)));
  return largest;
}

int Config::logDepth(Memory memory) const {
  switch (memory) {
#define GET_CONFIG_DEPTHS
#include "acc/vta/isa/Facts.inc"
  }
  return 0;
}

/// Whether the fields of micro-ops and instructions fit in their bits.
static bool isEncodable(const Layout &layout) {
  return layout.uopEnd <= kUopBits && layout.gemmEnd <= kInstructionBits &&
         layout.aluEnd <= kInstructionBits;
}

/// For messages: which buffers to halve, and how often, so that addresses fit
/// in instructions; as little as possible in all, of as few as possible.
static std::string shrink(const Config &config) {
  // Of several ways that cost the same, the first is taken: weights first.
  const Scratchpad buffers[] = {
      scratchpadOf(Memory::Wgt), scratchpadOf(Memory::Inp),
      scratchpadOf(Memory::Acc), scratchpadOf(Memory::Uop)};
  std::optional<Config> best;
  int least = std::numeric_limits<int>::max();
  Config tried = config;
  auto search = [&](auto &self, size_t index, int cost) -> void {
    // A buffer more counts as much as a halving.
    if (cost >= least)
      return;
    if (isEncodable(Layout(tried))) {
      least = cost;
      best = tried;
      return;
    }
    if (index == std::size(buffers))
      return;
    const Scratchpad &buffer = buffers[index];
    for (int by = 0; by <= config.logDepth(buffer.memory); ++by) {
      tried.*buffer.size = config.*buffer.size - by;
      self(self, index + 1, cost + by + (by > 0));
    }
    tried.*buffer.size = config.*buffer.size;
  };
  search(search, 0, 0);
  std::string text;
  for (const Scratchpad &buffer : buffers)
    if (best && (*best).*buffer.size != config.*buffer.size)
      text += (text.empty() ? "" : " and ") + std::string(buffer.key) + " " +
              std::to_string((*best).*buffer.size) + " instead of " +
              std::to_string(config.*buffer.size);
  return text;
}

std::vector<std::string> Config::validate() const {
  std::vector<std::string> problems;
  std::string smaller;
  for (const Key &key : kKeys)
    checkRange(key, this->*key.member, problems);
  if (!problems.empty())
    return problems;

  for (Memory memory : {Memory::Uop, Memory::Inp, Memory::Wgt, Memory::Acc}) {
    const char *key = scratchpadOf(memory).key;
    const int size = this->*scratchpadOf(memory).size;
    const int bits = logElementBits(memory);
    std::string element = std::string("one ") + memoryName(memory) +
                          " element (2^" + std::to_string(bits) + " bits)";
    if (bits < 3)
      problems.push_back(
          element + " is less than a byte: enlarge LOG_BATCH or LOG_BLOCK");
    else if (size + 3 < bits)
      problems.push_back(std::string(key) + " is " + std::to_string(size) +
                         ": the buffer cannot hold " + element + "; " +
                         std::to_string(bits - 3) + " is the least");
    else if (logDepth(memory) > widths::kSramBase)
      problems.push_back(
          std::string(key) + " is " + std::to_string(size) + ": 2^" +
          std::to_string(logDepth(memory)) + " entries, but the " +
          std::to_string(widths::kSramBase) + "-bit sram_base reaches only 2^" +
          std::to_string(widths::kSramBase) + "; " +
          std::to_string(size - logDepth(memory) + widths::kSramBase) +
          " is the most");
  }
  if (logElementBits(Memory::Out) < 3)
    problems.push_back(
        "one out element (2^" + std::to_string(logElementBits(Memory::Out)) +
        " bits) is less than a byte: enlarge LOG_BATCH or LOG_BLOCK");
  if (aluRequantize) {
    // Beside its sources, there must be something to work on.
    const int sources = Requantize::kSources;
    if (const int64_t missing = sources + 1 - int64_t(depth(Memory::Acc));
        missing > 0)
      problems.push_back("ALU_REQUANTIZE is 1, but the operation needs " +
                         std::to_string(sources + 1) +
                         " entries of accumulators, and LOG_ACC_BUFF_SIZE " +
                         std::to_string(logAccBuffSize) + " gives " +
                         std::to_string(depth(Memory::Acc)) + ": " +
                         std::to_string(logElementBits(Memory::Acc) - 3 +
                                        std::bit_width(uint32_t(sources))) +
                         " is the least");
  }
  if (aluTable) {
    // One table, and as many micro-ops beside it; an entry is the low bits of
    // the field that names an accumulator.
    auto need = [&](Memory memory, int least, const char *why) {
      const Scratchpad &pad = scratchpadOf(memory);
      if (logDepth(memory) < least)
        problems.push_back(
            std::string("ALU_TABLE is 1, but ") + why + " needs " +
            std::to_string(1 << least) + " entries of " + memoryName(memory) +
            ", and " + pad.key + " " + std::to_string(this->*pad.size) +
            " gives " + std::to_string(depth(memory)) + ": " +
            std::to_string(this->*pad.size + least - logDepth(memory)) +
            " is the least");
    };
    need(Memory::Uop, kLogTableEntries + 1,
         "a table, which lies among the micro-ops,");
    need(Memory::Acc, kLogTableEntries,
         "an entry of a table, which is the dst of a micro-op,");
  }
  if (gemmWindow) {
    const std::string declared =
        "GEMM_WINDOW is " + std::to_string(gemmWindow) + ", but ";
    if (logBlockIn != logBlockOut)
      problems.push_back(declared +
                         "a lane of the inputs is a lane of the outputs: "
                         "LOG_BLOCK_IN is " +
                         std::to_string(logBlockIn) + " and LOG_BLOCK_OUT " +
                         std::to_string(logBlockOut));
    else if (gemmWindow > blockIn())
      problems.push_back(
          declared + "an output has no more than " + std::to_string(blockIn()) +
          " multipliers (LOG_BLOCK_IN " + std::to_string(logBlockIn) + ")");
    if (gemmWindow > int64_t(depth(Memory::Inp)))
      problems.push_back(declared + "LOG_INP_BUFF_SIZE " +
                         std::to_string(logInpBuffSize) + " gives only " +
                         std::to_string(depth(Memory::Inp)) +
                         " entries of inputs");
  }
  if (!problems.empty())
    return problems;

  Layout layout(*this);
  if (!isEncodable(layout))
    smaller = "make buffers smaller, for example " + shrink(*this);
  auto checkEnd = [&](const char *what, int end, int limit) {
    if (end > limit)
      problems.push_back(
          std::string("the ") + what + " needs " + std::to_string(end) +
          " bits but has " + std::to_string(limit) + " (log2 depths: uop " +
          std::to_string(logDepth(Memory::Uop)) + ", inp " +
          std::to_string(logDepth(Memory::Inp)) + ", wgt " +
          std::to_string(logDepth(Memory::Wgt)) + ", acc " +
          std::to_string(logDepth(Memory::Acc)) + "): " + smaller);
  };
  checkEnd("micro-op", layout.uopEnd, kUopBits);
  checkEnd("GEMM instruction", layout.gemmEnd, kInstructionBits);
  checkEnd("ALU instruction", layout.aluEnd, kInstructionBits);
  return problems;
}
