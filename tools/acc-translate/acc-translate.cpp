//===- acc-translate.cpp - Programs as binary and assembly text -----------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Registration.h"

#include "acc/isa/Assembly.h"
#include "acc/isa/ProgramFile.h"
#include "dialects/VTA/VTADialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"
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
static FailureOr<isa::Program> selectProgram(Operation *root) {
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

static FailureOr<isa::Config> readConfig(Location loc) {
  if (configPath.empty())
    return isa::Config();
  auto file = llvm::MemoryBuffer::getFile(configPath);
  if (!file)
    return emitError(loc) << "cannot read '" << configPath
                          << "': " << file.getError().message();
  std::vector<std::string> problems;
  std::optional<isa::Config> config =
      isa::Config::fromJson(std::string_view((*file)->getBuffer()), problems);
  if (!config)
    return emitError(loc) << "illegal configuration '" << configPath
                          << "': " << llvm::join(problems, "; ");
  return *config;
}

/// A module with the program.
static OwningOpRef<Operation *> makeModule(MLIRContext *context, Location loc,
                                           const isa::Program &program) {
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

/// Reports what is wrong with assembly text ("line 3, column 5: ..."), where it
/// is.
static void reportAtLine(FileLineColLoc file, StringRef problem) {
  StringRef rest = problem;
  unsigned line, column = 1;
  if (rest.consume_front("line ") && !rest.consumeInteger(10, line) &&
      (!rest.consume_front(", column ") || !rest.consumeInteger(10, column)) &&
      rest.consume_front(": "))
    emitError(FileLineColLoc::get(file.getFilename(), line, column)) << rest;
  else
    emitError(file) << "cannot assemble: " << problem;
}

static void registerTranslations() {
  static auto declare = [](DialectRegistry &registry) {
    registry.insert<vta::VTADialect>();
    registerEverything(registry);
  };
  static TranslateFromMLIRRegistration toBinary(
      "vta-to-binary", "the instruction stream of a vta.program, 16 bytes each",
      [](Operation *root, llvm::raw_ostream &os) -> LogicalResult {
        FailureOr<isa::Program> program = selectProgram(root);
        if (failed(program))
          return failure();
        std::vector<isa::Word128> words;
        if (addresses.empty()) {
          words = program->encode();
        } else {
          std::string error;
          auto linked = program->link(
              std::vector<uint64_t>(addresses.begin(), addresses.end()),
              &error);
          if (!linked)
            return report(root) << error;
          words = *linked;
        }
        os.write(reinterpret_cast<const char *>(words.data()),
                 words.size() * sizeof(isa::Word128));
        return success();
      },
      declare);
  static TranslateFromMLIRRegistration toAssembly(
      "vta-to-assembly", "a vta.program as assembly text",
      [](Operation *root, llvm::raw_ostream &os) -> LogicalResult {
        FailureOr<isa::Program> program = selectProgram(root);
        if (failed(program))
          return failure();
        os << isa::printProgram(*program);
        return success();
      },
      declare);
  static TranslateFromMLIRRegistration toProgram(
      "vta-to-program",
      "a vta.program complete with buffers, micro-ops and layers, as models "
      "carry it",
      [](Operation *root, llvm::raw_ostream &os) -> LogicalResult {
        FailureOr<isa::Program> program = selectProgram(root);
        if (failed(program))
          return failure();
        os << isa::writeProgram(*program);
        return success();
      },
      declare);
  static TranslateToMLIRRegistration fromProgram(
      "program-to-vta", "what --vta-to-program writes as a vta.program",
      [](llvm::SourceMgr &sources,
         MLIRContext *context) -> OwningOpRef<Operation *> {
        context->loadDialect<vta::VTADialect>();
        FileLineColLoc loc = bufferLocation(sources, context);
        std::string error;
        std::optional<isa::Program> program =
            isa::readProgram(std::string_view(getInput(sources)), &error);
        if (!program) {
          emitError(loc) << error;
          return nullptr;
        }
        return makeModule(context, loc, *program);
      },
      declare);
  static TranslateToMLIRRegistration fromBinary(
      "binary-to-vta", "a raw instruction stream as a vta.program",
      [](llvm::SourceMgr &sources,
         MLIRContext *context) -> OwningOpRef<Operation *> {
        context->loadDialect<vta::VTADialect>();
        FileLineColLoc loc = bufferLocation(sources, context);
        FailureOr<isa::Config> config = readConfig(loc);
        if (failed(config))
          return nullptr;
        StringRef bytes = getInput(sources);
        if (bytes.size() % sizeof(isa::Word128) != 0) {
          emitError(loc) << "an instruction has 16 bytes, but the stream has "
                         << bytes.size();
          return nullptr;
        }
        std::vector<isa::Word128> words(bytes.size() / sizeof(isa::Word128));
        std::memcpy(words.data(), bytes.data(), bytes.size());
        std::string error;
        std::optional<isa::Program> program =
            isa::Program::decode(*config, words, &error);
        if (!program) {
          emitError(loc) << error;
          return nullptr;
        }
        return makeModule(context, loc, *program);
      },
      declare);
  static TranslateToMLIRRegistration fromAssembly(
      "assembly-to-vta", "assembly text as a vta.program",
      [](llvm::SourceMgr &sources,
         MLIRContext *context) -> OwningOpRef<Operation *> {
        context->loadDialect<vta::VTADialect>();
        FileLineColLoc loc = bufferLocation(sources, context);
        FailureOr<isa::Config> config = readConfig(loc);
        if (failed(config))
          return nullptr;
        StringRef text = getInput(sources);
        std::vector<std::string> problems;
        std::optional<isa::Program> program =
            isa::parseProgram(std::string_view(text), *config, problems);
        if (!program) {
          for (StringRef problem : problems)
            reportAtLine(loc, problem);
          return nullptr;
        }
        return makeModule(context, loc, *program);
      },
      declare);
}

int main(int argc, char **argv) {
  registerTranslations();
  return failed(mlirTranslateMain(argc, argv, "acc translation driver"));
}
