//===- AssemblyParser.cpp - Assembly parser -------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/isa/Assembly.h"

#include <cctype>
#include <charconv>

using namespace acc::isa;

namespace {

/// Parses one line; the first problem ends it.
class Line {
public:
  explicit Line(std::string_view text) : rest(text) {}

  std::string error;

  void skipSpace() {
    while (!rest.empty() &&
           std::isspace(static_cast<unsigned char>(rest.front())))
      rest.remove_prefix(1);
  }
  bool atEnd() {
    skipSpace();
    return rest.empty() || rest.front() == ';';
  }
  bool fail(std::string message) {
    if (error.empty())
      error = std::move(message);
    return false;
  }
  bool accept(char c) {
    if (rest.empty() || rest.front() != c)
      return false;
    rest.remove_prefix(1);
    return true;
  }
  bool expect(char c) {
    return accept(c) || fail(std::string("expected '") + c + "'" + near());
  }
  std::string_view word() {
    size_t n = 0;
    while (n < rest.size() &&
           (std::isalnum(static_cast<unsigned char>(rest[n])) ||
            rest[n] == '_' || rest[n] == '.'))
      ++n;
    std::string_view result = rest.substr(0, n);
    rest.remove_prefix(n);
    return result;
  }
  template <typename T> bool integer(T &result, int64_t lo, int64_t hi) {
    bool hex = rest.starts_with("0x") || rest.starts_with("0X");
    std::string_view digits = rest.substr(hex ? 2 : 0);
    int64_t parsed = 0;
    auto [end, ec] = std::from_chars(
        digits.data(), digits.data() + digits.size(), parsed, hex ? 16 : 10);
    if (ec == std::errc::result_out_of_range)
      return fail("number out of range" + near());
    if (ec != std::errc() || (hex && parsed < 0))
      return fail("expected a number" + near());
    if (parsed < lo || parsed > hi)
      return fail(std::to_string(parsed) + " is not within " +
                  std::to_string(lo) + " to " + std::to_string(hi));
    rest.remove_prefix(end - rest.data());
    result = static_cast<T>(parsed);
    return true;
  }
  bool number(uint32_t &result) { return integer(result, 0, 0xffffffffll); }
  bool pairOf(uint32_t &a, uint32_t &b) {
    return number(a) && expect(',') && number(b);
  }
  bool string(std::string &result) {
    skipSpace();
    if (!expect('"'))
      return false;
    while (!rest.empty() && rest.front() != '"') {
      char c = rest.front();
      rest.remove_prefix(1);
      if (c == '\\' && !rest.empty()) {
        c = rest.front() == 'n' ? '\n' : rest.front();
        rest.remove_prefix(1);
      }
      result += c;
    }
    return expect('"');
  }
  std::string_view remaining() const { return rest; }

private:
  std::string near() const {
    return rest.empty() ? " at the end of the line"
                        : " before '" + std::string(rest.substr(0, 16)) + "'";
  }
  std::string_view rest;
};

class Parser {
public:
  Parser(const Config &config, std::vector<std::string> &problems)
      : problems(problems) {
    program.config = config;
  }

  std::optional<Program> run(std::string_view text) {
    size_t before = problems.size();
    for (int number = 1; !text.empty(); ++number) {
      size_t end = text.find('\n');
      Line line(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (!line.atEnd() && !parseLine(line))
        problems.push_back("line " + std::to_string(number) + ": " +
                           line.error);
    }
    if (problems.size() != before)
      return std::nullopt;
    encodeAll(before);
    if (problems.size() != before)
      return std::nullopt;
    return std::move(program);
  }

private:
  /// Micro-ops and fields depend on the configuration, which may come last.
  void encodeAll(size_t) {
    Codec codec(program.config);
    for (size_t i = 0; i < uops.size(); ++i) {
      if (auto problem = codec.check(uops[i]))
        problems.push_back("micro-op " + std::to_string(i) + ": " + *problem);
      else
        program.uops.push_back(codec.encode(uops[i]));
    }
    for (size_t i = 0; i < program.insns.size(); ++i)
      if (auto problem = codec.check(program.insns[i]))
        problems.push_back("instruction " + std::to_string(i) + ": " +
                           *problem);
  }

  bool parseLine(Line &line) {
    std::string_view head = line.word();
    if (head.starts_with("."))
      return parseDirective(line, head);
    Instruction insn;
    int32_t buffer = Program::kNone;
    auto dot = head.find('.');
    std::string_view kind = head.substr(0, dot);
    std::string_view suffix =
        dot == std::string_view::npos ? "" : head.substr(dot + 1);
    bool ok = false;
    if (kind == "load" || kind == "store") {
      MemInsn mem;
      mem.store = kind == "store";
      auto memory = memoryFromName(suffix);
      if (!memory)
        return line.fail("unknown memory '" + std::string(suffix) + "'");
      mem.memory = *memory;
      ok = parseFields(line, insn, [&](std::string_view key) {
        return memField(line, key, mem, buffer);
      });
      insn.body = mem;
    } else if (kind == "gemm" && (suffix.empty() || suffix == "reset")) {
      GemmInsn gemm;
      gemm.reset = suffix == "reset";
      gemm.iterOut = gemm.iterIn = 1;
      ok = parseFields(line, insn, [&](std::string_view key) {
        return key == "wgt" ? line.pairOf(gemm.wgtOut, gemm.wgtIn)
                            : loopField(line, key, gemm);
      });
      insn.body = gemm;
    } else if (kind == "alu") {
      AluInsn alu;
      auto op = aluOpFromName(suffix);
      if (!op)
        return line.fail("unknown ALU operation '" + std::string(suffix) + "'");
      alu.op = *op;
      alu.iterOut = alu.iterIn = 1;
      ok = parseFields(line, insn, [&](std::string_view key) {
        if (key == "imm")
          return line.integer(alu.imm, -32768, 32767);
        if (key == "use_imm")
          return line.integer(alu.useImm, 0, 1);
        if (key == "reset")
          return line.integer(alu.reset, 0, 1);
        return loopField(line, key, alu);
      });
      insn.body = alu;
    } else if (kind == "finish" && suffix.empty()) {
      insn.body = FinishInsn();
      ok = parseFields(
          line, insn, [&](std::string_view key) { return unknown(line, key); });
    } else {
      return line.fail("unknown instruction '" + std::string(head) + "'");
    }
    if (ok)
      program.append(insn, buffer, layer);
    return ok;
  }

  bool unknown(Line &line, std::string_view key) {
    return line.fail(key.empty() ? "expected key=value"
                                 : "unknown field '" + std::string(key) + "'");
  }

  template <typename Fn>
  bool parseFields(Line &line, Instruction &insn, Fn field) {
    std::vector<std::string_view> seen;
    while (!line.atEnd()) {
      std::string_view key = line.word();
      for (std::string_view other : seen)
        if (other == key)
          return line.fail("field '" + std::string(key) + "' is given twice");
      seen.push_back(key);
      if (!line.expect('='))
        return false;
      if (key == "pop" || key == "push") {
        bool &prev = key == "pop" ? insn.deps.popPrev : insn.deps.pushPrev;
        bool &next = key == "pop" ? insn.deps.popNext : insn.deps.pushNext;
        do {
          std::string_view name = line.word();
          if (name == "prev")
            prev = true;
          else if (name == "next")
            next = true;
          else
            return line.fail("expected prev or next after '" +
                             std::string(key) + "='");
        } while (line.accept(','));
      } else if (!field(key)) {
        return false;
      }
    }
    return true;
  }

  bool memField(Line &line, std::string_view key, MemInsn &mem,
                int32_t &buffer) {
    if (key == "sram")
      return line.number(mem.sramBase);
    if (key == "dram") {
      if (line.accept('@') &&
          !(line.integer(buffer, 0, 0x7fffffff) && line.expect('+')))
        return false;
      return line.number(mem.dramBase);
    }
    if (key == "y")
      return line.number(mem.ySize);
    if (key == "x")
      return line.number(mem.xSize);
    if (key == "stride")
      return line.number(mem.xStride);
    if (key == "pad")
      return line.pairOf(mem.yPad0, mem.yPad1) && line.expect(',') &&
             line.pairOf(mem.xPad0, mem.xPad1);
    return unknown(line, key);
  }

  bool loopField(Line &line, std::string_view key, MicroLoop &loop) {
    if (key == "uop")
      return line.number(loop.uopBgn) && line.expect(':') &&
             line.number(loop.uopEnd);
    if (key == "iter")
      return line.pairOf(loop.iterOut, loop.iterIn);
    if (key == "dst")
      return line.pairOf(loop.dstOut, loop.dstIn);
    if (key == "src")
      return line.pairOf(loop.srcOut, loop.srcIn);
    return unknown(line, key);
  }

  bool end(Line &line) {
    return line.atEnd() ||
           line.fail("unexpected '" + std::string(line.remaining()) + "'");
  }

  bool parseDirective(Line &line, std::string_view head) {
    line.skipSpace();
    if (head == ".config") {
      std::vector<std::string> reasons;
      auto config = Config::fromJson(line.remaining(), reasons);
      if (!config) {
        std::string text = "illegal configuration";
        for (const std::string &reason : reasons)
          text += "; " + reason;
        return line.fail(text);
      }
      program.config = *config;
      return true;
    }
    if (head == ".buffer") {
      Buffer buffer;
      if (!line.string(buffer.name))
        return false;
      line.skipSpace();
      if (!line.integer(buffer.bytes, 0, INT64_MAX))
        return false;
      program.buffers.push_back(std::move(buffer));
      return end(line);
    }
    if (head == ".uop_buffer")
      return line.integer(program.uopBuffer, 0, 0x7fffffff) && end(line);
    if (head == ".uop") {
      Uop uop;
      Instruction unused;
      uops.emplace_back();
      bool ok = parseFields(line, unused, [&](std::string_view key) {
        if (key == "dst")
          return line.number(uop.dst);
        if (key == "src")
          return line.number(uop.src);
        return key == "wgt" ? line.number(uop.wgt) : unknown(line, key);
      });
      uops.back() = uop;
      return ok;
    }
    if (head == ".layer") {
      std::string name;
      if (!line.string(name))
        return false;
      layer = name.empty() ? Program::kNone : program.addLayer(name);
      return end(line);
    }
    return line.fail("unknown directive '" + std::string(head) + "'");
  }

  std::vector<std::string> &problems;
  Program program;
  std::vector<Uop> uops;
  int32_t layer = Program::kNone;
};

} // namespace

std::optional<Program>
acc::isa::parseProgram(std::string_view text, const Config &config,
                       std::vector<std::string> &problems) {
  return Parser(config, problems).run(text);
}
