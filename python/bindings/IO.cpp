//===- IO.cpp - Operations to and from text and bytecode ------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IO.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#include <unistd.h>

using namespace acc::python;

/// What the resources in bytecode may ask of the buffer they are used in.
static const llvm::Align bytecodeAlignment(64);

std::string acc::python::printOp(const OpRef &self,
                                 const mlir::OpPrintingFlags &flags) {
  mlir::Operation *op = self->get();
  nb::gil_scoped_release release;
  std::string text;
  llvm::raw_string_ostream os(text);
  // An explicit state: operator<< would drop the resources.
  mlir::AsmState state(op, flags);
  op->print(os, state);
  if (text.empty() || text.back() != '\n')
    os << '\n';
  return text;
}

static nb::object toBytecode(mlir::Operation *op) {
  llvm::SmallVector<char, 0> bytes;
  {
    nb::gil_scoped_release release;
    llvm::raw_svector_ostream os(bytes);
    mlir::BytecodeWriterConfig config("acc");
    (void)mlir::writeBytecodeToFile(op, os, config);
  }
  return nb::bytes(bytes.data(), bytes.size());
}

nb::object acc::python::getAsm(const OpRef &self, bool binary,
                               std::optional<int64_t> elementsLimit,
                               std::optional<int64_t> resourceLimit,
                               bool debugInfo, bool prettyDebugInfo,
                               bool generic, bool localScope,
                               bool assumeVerified, bool skipRegions) {
  if (binary)
    return toBytecode(self->get());
  mlir::OpPrintingFlags flags;
  if (elementsLimit)
    flags.elideLargeElementsAttrs(*elementsLimit);
  if (resourceLimit)
    flags.elideLargeResourceString(*resourceLimit);
  if (debugInfo || prettyDebugInfo)
    flags.enableDebugInfo(true, prettyDebugInfo);
  if (generic)
    flags.printGenericOpForm();
  if (localScope)
    flags.useLocalScope();
  if (assumeVerified)
    flags.assumeVerified();
  if (skipRegions)
    flags.skipRegions();
  return nb::cast(printOp(self, flags));
}

[[noreturn]] static void raiseOSError(std::error_code code,
                                      const std::string &path) {
  errno = code.value();
  PyErr_SetFromErrnoWithFilename(PyExc_OSError, path.c_str());
  throw nb::python_error();
}

static std::string toPath(nb::object path) {
  return nb::cast<std::string>(nb::module_::import_("os").attr("fspath")(path));
}

nb::object acc::python::writeBytecode(const OpRef &self, nb::object given) {
  mlir::Operation *op = self->get();
  if (given.is_none())
    return toBytecode(op);
  std::string path = toPath(given);
  std::string temporary = path + ".tmp" + std::to_string(::getpid());
  std::error_code error;
  {
    nb::gil_scoped_release release;
    llvm::raw_fd_ostream os(temporary, error);
    if (!error) {
      (void)mlir::writeBytecodeToFile(op, os,
                                      mlir::BytecodeWriterConfig("acc"));
      os.close();
      error = os.error();
      os.clear_error();
      if (!error)
        error = llvm::sys::fs::rename(temporary, path);
      if (error)
        llvm::sys::fs::remove(temporary);
    }
  }
  if (error)
    raiseOSError(error, path);
  return nb::none();
}

static Module parse(std::unique_ptr<llvm::MemoryBuffer> buffer,
                    const ContextRef &context) {
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  DiagnosticCollector collector(context->get());
  mlir::OwningOpRef<mlir::ModuleOp> op;
  {
    nb::gil_scoped_release release;
    mlir::ParserConfig config(context->get());
    op = mlir::parseSourceFile<mlir::ModuleOp>(sources, config);
  }
  if (!op)
    collector.raise("the module cannot be parsed");
  collector.logRest();
  return Module{makeRoot(context, op.release())};
}

Module acc::python::parseModule(nb::object text, nb::object context) {
  ContextRef owner = resolveContext(context);
  std::string_view view;
  if (nb::isinstance<nb::bytes>(text)) {
    nb::bytes bytes = nb::borrow<nb::bytes>(text);
    view = {static_cast<const char *>(bytes.data()), bytes.size()};
  } else {
    view = nb::cast<std::string_view>(text);
  }
  // Copied: resources of bytecode live in this buffer as long as the context.
  auto buffer = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(
      view.size(), "-", bytecodeAlignment);
  std::memcpy(buffer->getBufferStart(), view.data(), view.size());
  return parse(std::move(buffer), owner);
}

Module acc::python::parseModuleFile(nb::object given, nb::object context) {
  ContextRef owner = resolveContext(context);
  std::string path = toPath(given);
  // Text needs a terminator behind it, for which a file whose size is a
  // multiple of the page size would be read instead of mapped.
  auto open = [&](bool terminated) {
    return llvm::MemoryBuffer::getFile(path, /*IsText=*/false, terminated,
                                       /*IsVolatile=*/false, bytecodeAlignment);
  };
  auto buffer = open(false);
  if (buffer && !mlir::isBytecode(**buffer))
    buffer = open(true);
  if (!buffer)
    raiseOSError(buffer.getError(), path);
  return parse(std::move(*buffer), owner);
}
