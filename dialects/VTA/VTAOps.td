//===- VTAOps.td - Operators of the vta dialect ------------*- tablegen -*-===//
//
// Part of acc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ACC_DIALECTS_VTA_VTAOPS_TD
#define ACC_DIALECTS_VTA_VTAOPS_TD

include "dialects/VTA/VTADialect.td"
include "dialects/VTA/VTAAttributes.td"
include "dialects/VTA/VTAProgramOps.td"
include "dialects/VTA/VTAStructuredOps.td"
include "dialects/VTA/VTATensorOps.td"

#endif // ACC_DIALECTS_VTA_VTAOPS_TD
