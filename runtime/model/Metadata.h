/// What the runtime needs to know from the metadata of a compiled model.

#ifndef ACC_RUNTIME_MODEL_METADATA_H
#define ACC_RUNTIME_MODEL_METADATA_H

#include "ModelFile.h"

#include "acc/devices.h"

#include <optional>

namespace acc {

struct TensorInfo {
  std::string name;
  acc_dtype dtype = ACC_FLOAT32;
  /// -1 where the size is not fixed.
  std::vector<int64_t> dims;
  /// Names of those sizes; empty for others and where there is none.
  std::vector<std::string> symbols;
  uint64_t bytes = 0;
  /// Of an input, whether it need not be aligned.
  bool isAnywhere = false;

  bool isFixed() const;
  uint64_t elementBytes() const;
  /// The bytes of a tensor of this type with these sizes; none if they are
  /// absurd.
  std::optional<uint64_t> bytesOf(const int64_t *sizes) const;
  /// Like [2, batch].
  std::string shapeText() const;
};

/// The product of sizes that are not negative, unless nothing is so large.
std::optional<uint64_t> checkedBytes(uint64_t elementBytes,
                                     const int64_t *sizes, size_t rank);

struct ConstantInfo {
  uint64_t bytes = 0;
  /// Where it is in the section of constants.
  uint64_t offset = 0;
  /// Instead: the bytes of one element that fill it.
  std::string splat;
};

/// An accelerator program; what its bytes mean is its device's business.
struct ProgramInfo {
  std::string instructionSet;
  /// Where it is in the section of programs.
  Section bytes;
  /// Empty if the program says by itself what it is given.
  std::vector<ProgramBuffer> buffers;
};

struct Metadata {
  std::vector<TensorInfo> inputs, outputs;
  std::vector<ProgramInfo> programs;
  /// The ONNX nodes of each kernel, or its own name in parentheses.
  std::vector<std::string> layers;
  /// What every buffer handed to the code is aligned to; a power of two.
  uint64_t alignment = 64;
  /// What lies free before and behind every buffer; 0 if the model is not
  /// compiled with guards.
  uint64_t guardBytes = 0;
  /// How many threads the model was compiled for; 0 if nothing was said.
  int32_t threads = 0;

  /// What follows is that of the code which is loaded: a model may have code
  /// for several processors. The best is taken that this machine runs.
  std::vector<ConstantInfo> constants;
  uint64_t workspaceBytes = 0;
  /// The processor that the code is for, as LLVM names it; may be empty.
  std::string cpu;
  /// Processor features that the code uses, as LLVM names them.
  std::vector<std::string> cpuFeatures;
  /// The parts of the sections of images and of constants.
  Section code, data;

  /// Throws ModelError naming what is malformed.
  static Metadata parse(const ModelFile &file, const std::string &path);
};

} // namespace acc

#endif // ACC_RUNTIME_MODEL_METADATA_H
