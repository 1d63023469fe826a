//===- VTA.cpp - Programs as binary and assembly text ---------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Registration.h"

#include "acc/vta/isa/Assembly.h"
#include "acc/vta/isa/ProgramFile.h"
#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace acc;

static llvm::cl::opt<std::string>
    programName("program",
                llvm::cl::desc("Name of the vta.program; needed if a "
                               "module has several"));
static llvm::cl::opt<std::string>
    configPath("config",
               llvm::cl::desc("vta_config.json of a stream that does "
                              "not say so itself (default: defaults)"),
               llvm::cl::value_desc("file"));
static llvm::cl::list<uint64_t> addresses(
    "address", llvm::cl::CommaSeparated,
    llvm::cl::desc(
        "DRAM byte address of each buffer; without them, addresses in "
        "the binary are offsets in their buffers"));

/// Reports an error about all of a module in one line: neither the operation,
/// whose text may have tens of thousands, nor the first line of the file.
static InFlightDiagnostic report(Operation *root) {
  root->getContext()->printOpOnDiagnostic(false);
  if (auto start = dyn_cast<FileLineColLoc>(root->getLoc()))
    return emitError(FileLineColLoc::get(start.getFilename(), 0, 0));
  return emitError(root->getLoc());
}

/// The program that was asked for.
static FailureOr<vta::isa::Program> selectProgram(Operation *root) {
  SmallVector<vta::ProgramOp> programs;
  root->walk([&](vta::ProgramOp op) {
    if (programName.empty() || op.getSymName() == programName)
      programs.push_back(op);
  });
  if (programs.size() != 1)
    return report(root) << "has " << programs.size() << " programs"
                        << (programName.empty() ? "" : " of that name")
                        << "; select one with --program";
  return programs.front().getProgram();
}

static FailureOr<vta::isa::Config> readConfig(Location loc) {
  if (configPath.empty())
    return vta::isa::Config();
  auto file = llvm::MemoryBuffer::getFile(configPath);
  if (!file)
    return emitError(loc) << "cannot read '" << configPath
                          << "': " << file.getError().message();
  std::vector<std::string> problems;
  std::optional<vta::isa::Config> config = vta::isa::Config::fromJson(
      std::string_view((*file)->getBuffer()), problems);
  if (!config)
    return emitError(loc) << "illegal configuration '" << configPath
                          << "': " << llvm::join(problems, "; ");
  return *config;
}

/// A module with the program.
static OwningOpRef<Operation *> makeModule(MLIRContext *context, Location loc,
                                           const vta::isa::Program &program) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  module.get()->setAttr(vta::ConfigAttr::kName,
                        vta::ConfigAttr::get(context, program.config));
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  if (failed(vta::importProgram(
          builder, loc,
          programName.empty() ? "program" : programName.getValue(), program)))
    return nullptr;
  return module.release().getOperation();
}

static StringRef getInput(llvm::SourceMgr &sources) {
  return sources.getMemoryBuffer(sources.getMainFileID())->getBuffer();
}

static FileLineColLoc bufferLocation(llvm::SourceMgr &sources,
                                     MLIRContext *context) {
  StringRef name =
      sources.getMemoryBuffer(sources.getMainFileID())->getBufferIdentifier();
  return FileLineColLoc::get(context, name, 0, 0);
}

/// Reports what is wrong with an input: in assembly text ("line 3, column 5:
/// ...") where it is.
static void reportAtLine(FileLineColLoc file, StringRef problem) {
  StringRef rest = problem;
  unsigned line, column = 1;
  if (rest.consume_front("line ") && !rest.consumeInteger(10, line) &&
      (!rest.consume_front(", column ") || !rest.consumeInteger(10, column)) &&
      rest.consume_front(": "))
    emitError(FileLineColLoc::get(file.getFilename(), line, column)) << rest;
  else
    emitError(file) << problem;
}

/// What is written of a program; a failure has been reported.
using Writer = LogicalResult (*)(Operation *root,
                                 const vta::isa::Program &program,
                                 llvm::raw_ostream &os);
/// The program that a text or bytes are; the problems otherwise.
using Reader = std::optional<vta::isa::Program> (*)(
    StringRef input, const vta::isa::Config &config,
    std::vector<std::string> &problems);

static void declareDialects(DialectRegistry &registry) {
  registry.insert<vta::VTADialect>();
  registerEverything(registry);
}

static TranslateFromMLIRRegistration makeWriter(StringRef name, StringRef about,
                                                Writer write) {
  auto translate = [write](Operation *root,
                           llvm::raw_ostream &os) -> LogicalResult {
    FailureOr<vta::isa::Program> program = selectProgram(root);
    return failed(program) ? failure() : write(root, *program, os);
  };
  return {name, about, translate, declareDialects};
}

static TranslateToMLIRRegistration makeReader(StringRef name, StringRef about,
                                              Reader read) {
  auto translate = [read](llvm::SourceMgr &sources,
                          MLIRContext *context) -> OwningOpRef<Operation *> {
    context->loadDialect<vta::VTADialect>();
    FileLineColLoc loc = bufferLocation(sources, context);
    FailureOr<vta::isa::Config> config = readConfig(loc);
    if (failed(config))
      return nullptr;
    std::vector<std::string> problems;
    std::optional<vta::isa::Program> program =
        read(getInput(sources), *config, problems);
    for (StringRef problem : problems)
      reportAtLine(loc, problem);
    return program ? makeModule(context, loc, *program) : nullptr;
  };
  return {name, about, translate, declareDialects};
}

static LogicalResult writeBinary(Operation *root,
                                 const vta::isa::Program &program,
                                 llvm::raw_ostream &os) {
  std::vector<vta::isa::Word128> words = program.encode();
  if (!addresses.empty()) {
    std::string error;
    auto linked = program.link(
        std::vector<uint64_t>(addresses.begin(), addresses.end()), &error);
    if (!linked)
      return report(root) << error;
    words = std::move(*linked);
  }
  os.write(reinterpret_cast<const char *>(words.data()),
           words.size() * sizeof(vta::isa::Word128));
  return success();
}

static std::optional<vta::isa::Program>
readBinary(StringRef input, const vta::isa::Config &config,
           std::vector<std::string> &problems) {
  if (input.size() % sizeof(vta::isa::Word128) != 0) {
    problems.push_back("an instruction has 16 bytes, but the stream has " +
                       std::to_string(input.size()));
    return std::nullopt;
  }
  std::vector<vta::isa::Word128> words(input.size() /
                                       sizeof(vta::isa::Word128));
  std::memcpy(words.data(), input.data(), input.size());
  std::string error;
  auto program = vta::isa::Program::decode(config, words, &error);
  if (!program)
    problems.push_back(error);
  return program;
}

static TranslateFromMLIRRegistration writers[] = {
    makeWriter("vta-to-binary",
               "the instruction stream of a vta.program, 16 bytes each",
               writeBinary),
    makeWriter("vta-to-assembly", "a vta.program as assembly text",
               [](Operation *, const vta::isa::Program &program,
                  llvm::raw_ostream &os) -> LogicalResult {
                 os << vta::isa::printProgram(program);
                 return success();
               }),
    makeWriter("vta-to-program",
               "a vta.program complete with buffers, micro-ops and layers, "
               "as models carry it",
               [](Operation *, const vta::isa::Program &program,
                  llvm::raw_ostream &os) -> LogicalResult {
                 os << vta::isa::writeProgram(program);
                 return success();
               })};
static TranslateToMLIRRegistration readers[] = {
    makeReader(
        "program-to-vta", "what --vta-to-program writes as a vta.program",
        [](StringRef input, const vta::isa::Config &,
           std::vector<std::string> &problems) {
          std::string error;
          auto program = vta::isa::readProgram(std::string_view(input), &error);
          if (!program)
            problems.push_back(error);
          return program;
        }),
    makeReader("binary-to-vta", "a raw instruction stream as a vta.program",
               readBinary),
    makeReader("assembly-to-vta", "assembly text as a vta.program",
               [](StringRef input, const vta::isa::Config &config,
                  std::vector<std::string> &problems) {
                 return vta::isa::parseProgram(std::string_view(input), config,
                                               problems);
               })};
