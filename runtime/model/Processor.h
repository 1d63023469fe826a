// What this machine's processor is and has.
#ifndef ACC_RUNTIME_MODEL_PROCESSOR_H
#define ACC_RUNTIME_MODEL_PROCESSOR_H

#include <optional>
#include <string>
#include <vector>

namespace acc {

/// The triple of the architecture that an ELF file is for, by its number
/// there; empty for one that models are not made for.
std::string tripleOf(unsigned machine);

/// The architecture of this runtime, as in an ELF file.
extern const unsigned kOwnMachine;

/// The first of some processor features, named as LLVM does, that this machine
/// lacks, as far as it can be asked. What it cannot be asked for is taken to be
/// there.
std::optional<std::string>
missingFeature(const std::vector<std::string> &features);

} // namespace acc

#endif // ACC_RUNTIME_MODEL_PROCESSOR_H
