// RUN: acc-opt %s '--host-expand-math=functions=math.exp,math.log' | FileCheck %s

// CHECK-LABEL: func.func @f(
func.func @f(%x: vector<16xf32>, %y: f64) -> (vector<16xf32>, vector<16xf32>, f64) {
  // CHECK-NOT: math.exp
  %0 = math.exp %x : vector<16xf32>
  // Numbers below the smallest normal one are scaled first.
  // CHECK: arith.cmpf olt, %{{.*}}, %{{.*}} : vector<16xf32>
  // CHECK-NOT: math.log
  %1 = math.log %x : vector<16xf32>
  // Others are left to libm.
  // CHECK: math.exp %{{.*}} : f64
  %2 = math.exp %y : f64
  return %0, %1, %2 : vector<16xf32>, vector<16xf32>, f64
}

// CHECK-LABEL: func.func @infinite(
func.func @infinite(%x: f16) -> i1 {
  // CHECK: %[[A:.*]] = math.absf
  // CHECK: arith.cmpf oeq, %[[A]], %{{.*}} : f16
  %0 = math.isinf %x : f16
  return %0 : i1
}
