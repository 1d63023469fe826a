// RUN: acc-opt %s -vta-narrow-elements -canonicalize | FileCheck %s

// Inputs and outputs of 4 bits, weights of 8: activations of the accelerator's
// kernels get 4 bits, weights keep theirs. What the host computes is joined, a
// border is filled as bytes, and what the host reads is spread.

#narrow = #vta.config<log_block = 4, log_inp_width = 2, log_inp_buff_size = 14>

// CHECK-LABEL: te.kernel @before(%{{.*}}: tensor<1x1x2x2x1x16xi8>, %{{.*}}: tensor<1x1x2x2x1x16xi8>)
te.kernel @before(%x: tensor<1x1x2x2x1x16xi8>, %out: tensor<1x1x2x2x1x16xi8>) -> tensor<1x1x2x2x1x16xi8> attributes {target = #te.host} {
  %0 = linalg.generic {
      indexing_maps = [affine_map<(n, c, h, w, b, o) -> (n, c, h, w, b, o)>,
                       affine_map<(n, c, h, w, b, o) -> (n, c, h, w, b, o)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%x : tensor<1x1x2x2x1x16xi8>) outs(%out : tensor<1x1x2x2x1x16xi8>) {
  ^bb0(%a: i8, %b: i8):
    %1 = arith.addi %a, %a : i8
    linalg.yield %1 : i8
  } -> tensor<1x1x2x2x1x16xi8>
  te.return %0 : tensor<1x1x2x2x1x16xi8>
}

// CHECK-LABEL: te.kernel @halo(%{{.*}}: tensor<1x1x2x2x1x8xi8>)
// CHECK: %[[PAIR:.*]] = arith.constant -35 : i8
// CHECK: linalg.fill ins(%[[PAIR]] : i8)
te.kernel @halo(%out: tensor<1x1x2x2x1x16xi8>) -> tensor<1x1x2x2x1x16xi8> attributes {target = #te.host} {
  %pad = arith.constant -3 : i8
  %0 = linalg.fill ins(%pad : i8) outs(%out : tensor<1x1x2x2x1x16xi8>) -> tensor<1x1x2x2x1x16xi8>
  te.return %0 : tensor<1x1x2x2x1x16xi8>
}

// CHECK-LABEL: te.kernel @conv(
// CHECK-SAME: tensor<1x1x2x2x1x16xi4>, %{{.*}}: tensor<1x1x1x1x16x16xi8>, %{{.*}}: tensor<1x1x2x2x1x16xi4>) -> tensor<1x1x2x2x1x16xi4>
// CHECK: ^bb0(%{{.*}}: i4, %{{.*}}: i8, %{{.*}}: i32):
// CHECK: arith.extsi %{{.*}} : i4 to i32
// CHECK: arith.trunci %{{.*}} : i32 to i4
te.kernel @conv(%x: tensor<1x1x2x2x1x16xi8>, %w: tensor<1x1x1x1x16x16xi8>, %out: tensor<1x1x2x2x1x16xi8>) -> tensor<1x1x2x2x1x16xi8> attributes {target = #narrow} {
  %zero = arith.constant 0 : i32
  %empty = tensor.empty() : tensor<1x1x2x2x1x16xi32>
  %acc = linalg.fill ins(%zero : i32) outs(%empty : tensor<1x1x2x2x1x16xi32>) -> tensor<1x1x2x2x1x16xi32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(n, c, h, w, k, b, o, i) -> (n, k, h, w, b, i)>,
                       affine_map<(n, c, h, w, k, b, o, i) -> (c, k, 0, 0, o, i)>,
                       affine_map<(n, c, h, w, k, b, o, i) -> (n, c, h, w, b, o)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<1x1x2x2x1x16xi8>, tensor<1x1x1x1x16x16xi8>) outs(%acc : tensor<1x1x2x2x1x16xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %c, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<1x1x2x2x1x16xi32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(n, c, h, w, b, o) -> (n, c, h, w, b, o)>,
                       affine_map<(n, c, h, w, b, o) -> (n, c, h, w, b, o)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%sum : tensor<1x1x2x2x1x16xi32>) outs(%out : tensor<1x1x2x2x1x16xi8>) {
  ^bb0(%a: i32, %b: i8):
    %0 = arith.trunci %a : i32 to i8
    linalg.yield %0 : i8
  } -> tensor<1x1x2x2x1x16xi8>
  te.return %y : tensor<1x1x2x2x1x16xi8>
}

// CHECK-LABEL: te.kernel @after(%{{.*}}: tensor<1x1x2x2x1x16xi8>,
te.kernel @after(%x: tensor<1x1x2x2x1x16xi8>, %out: tensor<1x1x2x2x1x16xi8>) -> tensor<1x1x2x2x1x16xi8> attributes {target = #te.host} {
  %0 = linalg.generic {
      indexing_maps = [affine_map<(n, c, h, w, b, o) -> (n, c, h, w, b, o)>,
                       affine_map<(n, c, h, w, b, o) -> (n, c, h, w, b, o)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%x : tensor<1x1x2x2x1x16xi8>) outs(%out : tensor<1x1x2x2x1x16xi8>) {
  ^bb0(%a: i8, %b: i8):
    %1 = arith.muli %a, %a : i8
    linalg.yield %1 : i8
  } -> tensor<1x1x2x2x1x16xi8>
  te.return %0 : tensor<1x1x2x2x1x16xi8>
}

// CHECK-LABEL: te.kernel @p_join(%{{.*}}: tensor<32x2xi8>, %{{.*}}: tensor<32xi8>)
// CHECK-LABEL: te.kernel @y_spread(%{{.*}}: tensor<32xi8>, %{{.*}}: tensor<32x2xi8>)

// CHECK-LABEL: func.func @main(
// CHECK: %[[P:.*]] = te.launch @before
// CHECK: %[[FLAT:.*]] = te.bitcast %[[P]] : tensor<1x1x2x2x1x16xi8> to tensor<32x2xi8>
// CHECK: %[[JOINED:.*]] = te.launch @p_join ins(%[[FLAT]]
// CHECK: %[[IN:.*]] = te.bitcast %[[JOINED]] : tensor<32xi8> to tensor<1x1x2x2x1x16xi4>
// CHECK: %[[FILLED:.*]] = te.launch @halo outs(%{{.*}} : tensor<1x1x2x2x1x8xi8>)
// CHECK: %[[OUT:.*]] = te.bitcast %[[FILLED]] : tensor<1x1x2x2x1x8xi8> to tensor<1x1x2x2x1x16xi4>
// CHECK: %[[Y:.*]] = te.launch @conv ins(%[[IN]], %arg1 : {{.*}}) outs(%[[OUT]]
// CHECK: %[[BYTES:.*]] = te.bitcast %[[Y]] : tensor<1x1x2x2x1x16xi4> to tensor<32xi8>
// CHECK: te.launch @y_spread ins(%[[BYTES]]
func.func @main(%x: tensor<1x1x2x2x1x16xi8>, %w: tensor<1x1x1x1x16x16xi8>) -> tensor<1x1x2x2x1x16xi8> {
  %0 = tensor.empty() : tensor<1x1x2x2x1x16xi8>
  %p = te.launch @before ins(%x : tensor<1x1x2x2x1x16xi8>) outs(%0 : tensor<1x1x2x2x1x16xi8>) {label = "p"} -> tensor<1x1x2x2x1x16xi8>
  %1 = tensor.empty() : tensor<1x1x2x2x1x16xi8>
  %h = te.launch @halo outs(%1 : tensor<1x1x2x2x1x16xi8>) {label = "h"} -> tensor<1x1x2x2x1x16xi8>
  %y = te.launch @conv ins(%p, %w : tensor<1x1x2x2x1x16xi8>, tensor<1x1x1x1x16x16xi8>) outs(%h : tensor<1x1x2x2x1x16xi8>) {label = "y"} -> tensor<1x1x2x2x1x16xi8>
  %2 = tensor.empty() : tensor<1x1x2x2x1x16xi8>
  %u = te.launch @after ins(%y : tensor<1x1x2x2x1x16xi8>) outs(%2 : tensor<1x1x2x2x1x16xi8>) {label = "u"} -> tensor<1x1x2x2x1x16xi8>
  return %u : tensor<1x1x2x2x1x16xi8>
}
