//===- Module.cpp - The _runtime module -----------------------------------===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"

namespace nb = nanobind;
using namespace acc::python;

void acc::python::raise(const char *errorClass, const std::string &message) {
  nb::object type = nb::module_::import_("acc.errors").attr(errorClass);
  PyErr_SetObject(type.ptr(), nb::str(message.c_str(), message.size()).ptr());
  throw nb::python_error();
}

std::string acc::python::joined(const std::string &title,
                                const std::vector<std::string> &problems) {
  if (problems.size() == 1)
    return title + ": " + problems.front();
  std::string text = title + ":";
  for (const std::string &problem : problems)
    text += "\n  " + problem;
  return text;
}

NB_MODULE(_runtime, m) {
  m.doc() = "The runtime: instruction set, simulators, compiled models. Free "
            "of LLVM and MLIR.";
  registerIsa(m);
  registerDevices(m);
  registerDevice(m);
  registerModel(m);
}
