/// Names and sizes of the element types.

#ifndef ACC_RUNTIME_MODEL_DTYPES_H
#define ACC_RUNTIME_MODEL_DTYPES_H

#include "acc/runtime.h"

namespace acc {

struct Dtype {
  const char *name;
  uint8_t bytes;
};

/// The element types by acc_dtype.
inline constexpr Dtype kDtypes[] = {
    {"float32", 4},
    {"float64", 8},
    {"float16", 2},
    {"bfloat16", 2},
    {"int8", 1},
    {"int16", 2},
    {"int32", 4},
    {"int64", 8},
    {"uint8", 1},
    {"uint16", 2},
    {"uint32", 4},
    {"uint64", 8},
    {"bool", 1},
    {"float8_e4m3fn", 1},
    {"float8_e4m3fnuz", 1},
    {"float8_e5m2", 1},
    {"float8_e5m2fnuz", 1},
    {"float8_e8m0fnu", 1},
    {"float6_e2m3fn", 1},
    {"float6_e3m2fn", 1},
    {"float4_e2m1fn", 1},
    {"int4", 1},
    {"int2", 1},
    {"uint4", 1},
    {"uint2", 1},
};

} // namespace acc

#endif // ACC_RUNTIME_MODEL_DTYPES_H
