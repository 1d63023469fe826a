#include "Processor.h"

#include <algorithm>
#include <elf.h>
#include <fstream>
#include <map>
#include <sys/auxv.h>
#include <utility>

using namespace acc;

static constexpr std::pair<unsigned, const char *> kTriples[] = {
    {EM_X86_64, "x86_64-linux-gnu"},
    {EM_AARCH64, "aarch64-linux-gnu"},
    {EM_RISCV, "riscv64-linux-gnu"},
};

std::string acc::tripleOf(unsigned machine) {
  for (auto [number, triple] : kTriples)
    if (number == machine)
      return triple;
  return "";
}

/// Features of this machine by LLVM's names: those that it can be asked for.
using Features = std::map<std::string, bool>;

#if defined(__x86_64__)

const unsigned acc::kOwnMachine = EM_X86_64;

static Features askProcessor() {
  __builtin_cpu_init();
  return {
      {"sse3", __builtin_cpu_supports("sse3") != 0},
      {"ssse3", __builtin_cpu_supports("ssse3") != 0},
      {"sse4.1", __builtin_cpu_supports("sse4.1") != 0},
      {"sse4.2", __builtin_cpu_supports("sse4.2") != 0},
      {"popcnt", __builtin_cpu_supports("popcnt") != 0},
      {"avx", __builtin_cpu_supports("avx") != 0},
      {"f16c", __builtin_cpu_supports("f16c") != 0},
      {"fma", __builtin_cpu_supports("fma") != 0},
      {"avx2", __builtin_cpu_supports("avx2") != 0},
      {"bmi", __builtin_cpu_supports("bmi") != 0},
      {"bmi2", __builtin_cpu_supports("bmi2") != 0},
      {"lzcnt", __builtin_cpu_supports("lzcnt") != 0},
      {"movbe", __builtin_cpu_supports("movbe") != 0},
      {"gfni", __builtin_cpu_supports("gfni") != 0},
      {"avx512f", __builtin_cpu_supports("avx512f") != 0},
      {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
      {"avx512dq", __builtin_cpu_supports("avx512dq") != 0},
      {"avx512vl", __builtin_cpu_supports("avx512vl") != 0},
      {"avx512cd", __builtin_cpu_supports("avx512cd") != 0},
      {"avx512ifma", __builtin_cpu_supports("avx512ifma") != 0},
      {"avx512vbmi", __builtin_cpu_supports("avx512vbmi") != 0},
      {"avx512vbmi2", __builtin_cpu_supports("avx512vbmi2") != 0},
      {"avx512bitalg", __builtin_cpu_supports("avx512bitalg") != 0},
      {"avx512vpopcntdq", __builtin_cpu_supports("avx512vpopcntdq") != 0},
      {"avx512vnni", __builtin_cpu_supports("avx512vnni") != 0},
      {"avx512bf16", __builtin_cpu_supports("avx512bf16") != 0},
      {"avx512fp16", __builtin_cpu_supports("avx512fp16") != 0},
      {"avxvnni", __builtin_cpu_supports("avxvnni") != 0},
  };
}

#elif defined(__aarch64__)

const unsigned acc::kOwnMachine = EM_AARCH64;

/// The kernel's two words of bits; their numbers are those of Linux's
/// asm/hwcap.h, which is newer than some C library's.
static Features askProcessor() {
  static constexpr struct {
    const char *name;
    unsigned long word;
    unsigned bit;
  } known[] = {
      {"fp-armv8", AT_HWCAP, 0},     {"neon", AT_HWCAP, 1},
      {"aes", AT_HWCAP, 3},          {"sha2", AT_HWCAP, 6},
      {"crc", AT_HWCAP, 7},          {"lse", AT_HWCAP, 8},
      {"fullfp16", AT_HWCAP, 10},    {"rdm", AT_HWCAP, 12},
      {"jsconv", AT_HWCAP, 13},      {"complxnum", AT_HWCAP, 14},
      {"rcpc", AT_HWCAP, 15},        {"sha3", AT_HWCAP, 17},
      {"sm4", AT_HWCAP, 19},         {"dotprod", AT_HWCAP, 20},
      {"sve", AT_HWCAP, 22},         {"fp16fml", AT_HWCAP, 23},
      {"rcpc-immo", AT_HWCAP, 26},   {"flagm", AT_HWCAP, 27},
      {"sve2", AT_HWCAP2, 1},        {"sve-aes", AT_HWCAP2, 2},
      {"sve-bitperm", AT_HWCAP2, 4}, {"sve-sha3", AT_HWCAP2, 5},
      {"altnzcv", AT_HWCAP2, 7},     {"fptoint", AT_HWCAP2, 8},
      {"i8mm", AT_HWCAP2, 13},       {"bf16", AT_HWCAP2, 14},
      {"cssc", AT_HWCAP2, 34},       {"sve2p1", AT_HWCAP2, 36},
      {"mops", AT_HWCAP2, 43},
  };
  Features features;
  for (auto [name, word, bit] : known)
    features[name] = (::getauxval(word) >> bit) & 1;
  return features;
}

#elif defined(__riscv)

const unsigned acc::kOwnMachine = EM_RISCV;

/// The kernel says in /proc/cpuinfo what the processor is, as in "isa :
/// rv64imafdcv_zba_zbb". An emulator of programs may lack that; then the
/// letters that every kernel knows are asked for, and others are not.
static Features askProcessor() {
  Features features;
  for (char letter : std::string("mafdc"))
    features[{letter}] = (::getauxval(AT_HWCAP) >> (letter - 'a')) & 1;
  std::ifstream file("/proc/cpuinfo");
  std::string line, isa;
  while (isa.empty() && std::getline(file, line))
    if (line.rfind("isa", 0) == 0 && line.find("rv64") != std::string::npos)
      isa = line.substr(line.find("rv64") + 4);
  if (isa.empty())
    return features;
  size_t end = std::min(isa.find('_'), isa.size());
  std::string letters = isa.substr(0, end), others = isa.substr(end) + "_";
  for (char letter : std::string("mafdcv"))
    features[{letter}] = letters.find(letter) != std::string::npos;
  for (const char *name : {"zba", "zbb", "zbc", "zbkb", "zbs", "zfa", "zfh",
                           "zfhmin", "zicond", "zvbb", "zvfh", "zvfhmin"})
    features[name] =
        others.find("_" + std::string(name) + "_") != std::string::npos;
  if (features["v"]) {
    unsigned long bytes = 0;
    // vlenb, by its number: this file is compiled for processors without it.
    __asm__("csrr %0, 0xc22" : "=r"(bytes));
    for (unsigned long bits = 256; bits <= 65536; bits *= 2)
      features["zvl" + std::to_string(bits) + "b"] = bytes * 8 >= bits;
  }
  return features;
}

#endif

std::optional<std::string>
acc::missingFeature(const std::vector<std::string> &features) {
  static const Features own = askProcessor();
  for (const std::string &feature : features)
    if (auto known = own.find(feature); known != own.end() && !known->second)
      return feature;
  return std::nullopt;
}
