//===- AssemblyParser.cpp - Assembly parser -------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "acc/vta/isa/Assembly.h"

#include <cctype>
#include <charconv>
#include <utility>

using namespace acc::vta::isa;

namespace {

#define GET_ASSEMBLY_KEYS
#include "acc/vta/isa/Facts.inc"

/// Parses one line; the first problem ends it.
class Line {
public:
  explicit Line(std::string_view text) : rest(text), whole(text) {}

  std::string error;
  /// Where the problem is, from 1 on.
  size_t column = 0;

  void skipSpace() {
    while (!rest.empty() &&
           std::isspace(static_cast<unsigned char>(rest.front())))
      rest.remove_prefix(1);
  }
  bool atEnd() {
    skipSpace();
    return rest.empty() || rest.front() == ';';
  }
  /// Fails at the word or number that was read last.
  bool fail(std::string message) {
    if (error.empty()) {
      error = std::move(message);
      column = static_cast<size_t>(token - whole.data()) + 1;
    }
    return false;
  }
  /// Fails at a word that was read earlier.
  bool failAt(std::string_view word, std::string message) {
    token = word.data();
    return fail(std::move(message));
  }
  bool accept(char c) {
    if (rest.empty() || rest.front() != c)
      return false;
    rest.remove_prefix(1);
    return true;
  }
  bool expect(char c) {
    token = rest.data();
    return accept(c) || fail(std::string("expected '") + c + "'" + near());
  }
  std::string_view word() {
    token = rest.data();
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
    token = rest.data();
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
  /// All 64 bits of a word.
  bool bits(uint64_t &result) {
    token = rest.data();
    bool hex = rest.starts_with("0x") || rest.starts_with("0X");
    std::string_view digits = rest.substr(hex ? 2 : 0);
    auto [end, ec] = std::from_chars(
        digits.data(), digits.data() + digits.size(), result, hex ? 16 : 10);
    if (ec == std::errc::result_out_of_range)
      return fail("number out of range" + near());
    if (ec != std::errc())
      return fail("expected a number" + near());
    rest.remove_prefix(end - rest.data());
    return true;
  }
  bool number(uint32_t &result) { return integer(result, 0, 0xffffffffll); }
  bool number(int32_t &result) {
    return integer(result, limits::kLeastImm, limits::kImm);
  }
  bool number(bool &result) { return integer(result, 0, 1); }
  /// Numbers with \p between between them.
  template <typename First, typename... Rest>
  bool numbers(char between, First &first, Rest &...rest) {
    return number(first) && (... && (expect(between) && number(rest)));
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
  std::string_view remaining() {
    token = rest.data();
    return rest;
  }

private:
  std::string near() const {
    return rest.empty() ? " at the end of the line"
                        : " before '" + std::string(rest.substr(0, 16)) + "'";
  }
  std::string_view rest;
  const std::string_view whole;
  const char *token = whole.data();
};

/// Reads what stands behind one key, if that is a key of the instruction.
class KeyParser {
public:
  /// \p buffer takes the buffer that an address in DRAM may begin with.
  KeyParser(Line &line, std::string_view key, int32_t *buffer = nullptr)
      : line(line), key(key), buffer(buffer) {}

  /// For forEachMemKey and its like, which go through all keys.
  auto reader() {
    return [this](const AssemblyKey &known, auto &...values) {
      if (key != known.name)
        return;
      found = true;
      ok = (!buffer || key != "dram" || readBuffer()) &&
           line.numbers(known.between, values...);
    };
  }

  /// Whether the key is known and what stands behind it could be read.
  bool done() {
    if (!found)
      line.failAt(key, key.empty()
                           ? "expected key=value"
                           : "unknown field '" + std::string(key) + "'");
    return found && ok;
  }

private:
  bool readBuffer() {
    return !line.accept('@') ||
           (line.integer(*buffer, 0, 0x7fffffff) && line.expect('+'));
  }

  Line &line;
  std::string_view key;
  int32_t *buffer;
  bool found = false, ok = false;
};

class Parser {
public:
  Parser(const Config &config, std::vector<std::string> &problems)
      : problems(problems) {
    program.config = config;
  }

  std::optional<Program> run(std::string_view text) {
    size_t before = problems.size();
    for (number = 1; !text.empty(); ++number) {
      size_t end = text.find('\n');
      Line line(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (!line.atEnd() && !parseLine(line))
        problems.push_back("line " + std::to_string(number) + ", column " +
                           std::to_string(line.column) + ": " + line.error);
    }
    if (problems.size() != before)
      return std::nullopt;
    encodeAll();
    if (problems.size() != before)
      return std::nullopt;
    return std::move(program);
  }

private:
  /// Micro-ops and fields depend on the configuration, which may come last.
  void encodeAll() {
    Codec codec(program.config);
    auto complain = [&](int line, const std::string &problem) {
      problems.push_back("line " + std::to_string(line) + ": " + problem);
    };
    for (const TableEntry &entry : uops) {
      auto problem = codec.check(entry.uop);
      if (!problem && codec.spareBits(entry.spare) != entry.spare)
        problem = "spare has bits that belong to a field";
      if (problem)
        complain(entry.line, *problem);
      else
        program.uops.push_back(codec.encode(entry.uop) | entry.spare);
    }
    for (size_t i = 0; i < program.insns.size(); ++i)
      if (auto problem = codec.check(program.insns[i]))
        complain(lines[i], *problem);
    auto checkBuffer = [&](int line, int32_t buffer) {
      if (buffer != Program::kNone &&
          static_cast<size_t>(buffer) >= program.buffers.size())
        complain(line, "there is no buffer " + std::to_string(buffer) +
                           ": there are " +
                           std::to_string(program.buffers.size()));
    };
    for (size_t i = 0; i < program.insns.size(); ++i)
      checkBuffer(lines[i], program.bufferOfInsn(i));
    checkBuffer(uopBufferLine, program.uopBuffer);
    if (!program.addresses.empty() &&
        program.addresses.size() != program.buffers.size())
      complain(addressLine, "either all buffers have an address, or none");
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
    auto is = [&](Opcode opcode) { return kind == opcodeName(opcode); };
    bool ok = false;
    if (is(Opcode::Load) || is(Opcode::Store)) {
      MemInsn mem;
      mem.store = is(Opcode::Store);
      auto memory = memoryFromName(suffix);
      if (!memory)
        return line.fail("unknown memory '" + std::string(suffix) + "'");
      mem.memory = *memory;
      ok = parseFields(line, insn, [&](std::string_view key) {
        KeyParser parser(line, key, &buffer);
        forEachMemKey(mem, parser.reader());
        return parser.done();
      });
      insn.body = mem;
    } else if (is(Opcode::Gemm) &&
               (suffix.empty() || suffix == "reset" || suffix == "set" ||
                suffix == "window" || suffix == "window.set")) {
      GemmInsn gemm;
      gemm.reset = suffix == "reset";
      gemm.set = suffix.ends_with("set") && !gemm.reset;
      gemm.window = suffix.starts_with("window");
      gemm.iterOut = gemm.iterIn = 1;
      ok = parseFields(line, insn, [&](std::string_view key) {
        KeyParser parser(line, key);
        forEachGemmKey(gemm, parser.reader());
        return parser.done();
      });
      insn.body = gemm;
    } else if (is(Opcode::Alu)) {
      AluInsn alu;
      auto op = aluOpFromName(suffix);
      if (!op)
        return line.fail("unknown ALU operation '" + std::string(suffix) + "'");
      alu.op = *op;
      alu.iterOut = alu.iterIn = 1;
      ok = parseFields(line, insn, [&](std::string_view key) {
        KeyParser parser(line, key);
        forEachAluKey(alu, parser.reader());
        return parser.done();
      });
      insn.body = alu;
    } else if (is(Opcode::Finish) && suffix.empty()) {
      insn.body = FinishInsn();
      ok = parseFields(line, insn, [&](std::string_view key) {
        return KeyParser(line, key).done();
      });
    } else {
      return line.fail("unknown instruction '" + std::string(head) + "'");
    }
    if (ok) {
      program.append(insn, buffer, layer);
      lines.push_back(number);
    }
    return ok;
  }

  template <typename Fn>
  bool parseFields(Line &line, Instruction &insn, Fn field,
                   bool isUop = false) {
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
      } else if (key == "spare" && !isUop) {
        if (!line.bits(insn.spare[0]) || !line.expect(',') ||
            !line.bits(insn.spare[1]))
          return false;
      } else if (!field(key)) {
        return false;
      }
    }
    return true;
  }

  bool end(Line &line) {
    return line.atEnd() ||
           line.fail("unexpected '" + std::string(line.remaining()) + "'");
  }

  bool parseDirective(Line &line, std::string_view head) {
    line.skipSpace();
    if (head == ".config") {
      if (std::exchange(hasConfig, true))
        return line.fail("a second .config: a text is one program");
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
      if (line.atEnd())
        return true;
      addressLine = number;
      int64_t address = 0;
      if (!line.integer(address, 0, INT64_MAX))
        return false;
      program.addresses.push_back(static_cast<uint64_t>(address));
      return end(line);
    }
    if (head == ".uop_buffer") {
      uopBufferLine = number;
      return line.integer(program.uopBuffer, 0, 0x7fffffff) && end(line);
    }
    if (head == ".uop") {
      Instruction unused;
      TableEntry entry;
      entry.line = number;
      auto field = [&](std::string_view key) {
        if (key == "spare")
          return line.number(entry.spare);
        KeyParser parser(line, key);
        forEachUopKey(entry.uop, parser.reader());
        return parser.done();
      };
      bool ok = parseFields(line, unused, field, /*isUop=*/true);
      uops.push_back(entry);
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
  struct TableEntry {
    Uop uop;
    uint32_t spare = 0;
    int line = 0;
  };
  std::vector<TableEntry> uops;
  /// The line being parsed, those of the instructions, and of directives that
  /// are checked at the end.
  int number = 0;
  std::vector<int> lines;
  int uopBufferLine = 0, addressLine = 0;
  bool hasConfig = false;
  int32_t layer = Program::kNone;
};

} // namespace

std::optional<Program>
acc::vta::isa::parseProgram(std::string_view text, const Config &config,
                            std::vector<std::string> &problems) {
  return Parser(config, problems).run(text);
}
