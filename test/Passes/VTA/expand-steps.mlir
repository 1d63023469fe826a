// RUN: acc-opt %s --vta-expand-steps --canonicalize | FileCheck %s

// Only what the host computes is arithmetic; the accelerator has the operation.

// CHECK-LABEL: te.kernel @host
// CHECK: [[X:%.+]] = arith.addi
// CHECK: [[W:%.+]] = arith.extsi [[X]] : i32 to i64
// CHECK: [[A:%.+]] = arith.shrsi [[W]]
// CHECK: arith.muli [[A]]
// CHECK: arith.maxsi
// CHECK: [[R:%.+]] = arith.minsi
// CHECK: [[Y:%.+]] = arith.trunci [[R]] : i64 to i32
// CHECK: linalg.yield [[Y]] : i32
// CHECK-NOT: vta.requantize_step
te.kernel @host(%p: tensor<3x4xi32>, %a: tensor<4xi32>) -> tensor<4xi32> attributes {target = #te.host} {
  %0 = linalg.generic {
      indexing_maps = [affine_map<(i) -> (0, i)>, affine_map<(i) -> (1, i)>,
                       affine_map<(i) -> (2, i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]}
      ins(%p, %p, %p : tensor<3x4xi32>, tensor<3x4xi32>, tensor<3x4xi32>)
      outs(%a : tensor<4xi32>) {
  ^bb0(%bias: i32, %scaling: i32, %bounds: i32, %acc: i32):
    %1 = vta.requantize_step %acc by %bias, %scaling, %bounds
    linalg.yield %1 : i32
  } -> tensor<4xi32>
  te.return %0 : tensor<4xi32>
}

// A look-up reads a constant, from the entry of -128 on.
#same = array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>

// CHECK-LABEL: te.kernel @look_up
// CHECK: [[TABLE:%.+]] = arith.constant dense<"0x8081
// CHECK: [[B:%.+]] = arith.trunci {{%.+}} : i32 to i8
// CHECK: [[P:%.+]] = arith.xori [[B]]
// CHECK: [[I:%.+]] = arith.index_castui [[P]] : i8 to index
// CHECK: [[E:%.+]] = tensor.extract [[TABLE]][[[I]]]
// CHECK: [[Y:%.+]] = arith.extsi [[E]] : i8 to i32
// CHECK: linalg.yield [[Y]] : i32
te.kernel @look_up(%a: tensor<4xi32>) -> tensor<4xi32> attributes {target = #te.host} {
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      outs(%a : tensor<4xi32>) {
  ^bb0(%acc: i32):
    %1 = vta.lookup_step %acc in #same
    linalg.yield %1 : i32
  } -> tensor<4xi32>
  te.return %0 : tensor<4xi32>
}
