//===- Runtime.h - Pieces of the _runtime module ----------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The pieces of the `_runtime` module, each registered by its own file.

#ifndef ACC_PYTHON_RUNTIME_H
#define ACC_PYTHON_RUNTIME_H

#include "acc/devices.h"

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

namespace acc::python {

void registerIsa(nanobind::module_ &m);
void registerDevice(nanobind::module_ &m);
void registerDevices(nanobind::module_ &m);
void registerModel(nanobind::module_ &m);

/// Raises the exception of acc.errors with that name.
[[noreturn]] void raise(const char *errorClass, const std::string &message);

/// Options of a device as texts: numbers, truth values and strings.
DeviceOptions::Texts toTexts(nanobind::handle options);

/// What Python code that the runtime called on this thread has raised last.
class Raised {
public:
  /// Keeps what \p error is, and says it in words.
  static std::string keep(nanobind::python_error &error);
  static void clear();
  /// Raises the exception of acc.errors with that name, caused by what is kept;
  /// what no `except Exception` catches, such as KeyboardInterrupt, itself.
  [[noreturn]] static void raise(const char *errorClass,
                                 const std::string &message);
};

/// The messages as one: alone, or as a list of lines.
std::string joined(const std::string &title,
                   const std::vector<std::string> &problems);

} // namespace acc::python

#endif // ACC_PYTHON_RUNTIME_H
