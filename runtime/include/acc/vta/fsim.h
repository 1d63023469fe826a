//===- fsim.h - Functional simulator ----------------------------*- C++ -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/// The functional simulator: bit-exact, without notion of time.

#ifndef ACC_VTA_FSIM_H
#define ACC_VTA_FSIM_H

#include "acc/vta/device.h"

namespace acc::vta::fsim {

/// Implementations of the matrix product, best first: "avx512vnni", "avx2",
/// "portable", as far as this machine can run them.
std::vector<std::string> availableKernels();

/// Creates a simulator; \p kernel is one of availableKernels() or "" for the
/// best. Null and a message if that cannot be had or the configuration is
/// illegal.
std::unique_ptr<StreamDevice> create(const isa::Config &config,
                                     std::string_view kernel = "",
                                     std::string *error = nullptr);

const StreamDeviceKind &kind();

} // namespace acc::vta::fsim

#endif // ACC_VTA_FSIM_H
