/// An accelerator program as bytes, complete: configuration, instructions,
/// relocations, micro-ops, buffers and layer names. The form in which compiled
/// models carry programs.

#ifndef ACC_VTA_ISA_PROGRAMFILE_H
#define ACC_VTA_ISA_PROGRAMFILE_H

#include "acc/vta/isa/Program.h"

namespace acc::vta::isa {

std::string writeProgram(const Program &program);

/// Nothing and the reason if the bytes are no program. What is read is
/// consistent (indices in range), but verify() decides whether it may run.
std::optional<Program> readProgram(std::string_view bytes,
                                   std::string *error = nullptr);

/// The hardware configuration that such a program is for, without the rest.
std::optional<Config> readConfig(std::string_view bytes,
                                 std::string *error = nullptr);

} // namespace acc::vta::isa

#endif // ACC_VTA_ISA_PROGRAMFILE_H
