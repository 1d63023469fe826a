//===- Vta.h - What the bindings of the VTA share ---------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_PYTHON_RUNTIME_VTA_H
#define ACC_PYTHON_RUNTIME_VTA_H

#include "../Runtime.h"
#include "acc/vta/isa/Counters.h"
#include "acc/vta/isa/Dialect.h"

namespace acc::python {

nanobind::dict toDict(const vta::isa::Counters &counters);
/// The dialect of that name; raises RunError if there is none.
vta::isa::Dialect parseDialect(const std::string &name);

} // namespace acc::python

#endif // ACC_PYTHON_RUNTIME_VTA_H
