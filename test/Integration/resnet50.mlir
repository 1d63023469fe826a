// ResNet-50 as PyTorch exports it ends with convolutions, pools, additions and one matrix product:
// batch norms are folded into weights, shape arithmetic and dropout are gone, the mean over the image is a pool.
// RUN: %python %S/../support/print_graph.py resnet50 > %t
// RUN: FileCheck %s --input-file=%t
// RUN: FileCheck %s --check-prefix=COUNT --input-file=%t

// CHECK-NOT: graph.{{[a-z_]*norm|reduce|shape|gather|concat|identity|squeeze|mul|sub|div|sqrt}}
// CHECK: graph.conv
// CHECK-NEXT: graph.relu
// CHECK-NEXT: graph.max_pool
// CHECK-NOT: graph.{{[a-z_]*norm|reduce|shape|gather|concat|identity|squeeze|mul|sub|div|sqrt}}
// CHECK: graph.global_average_pool
// CHECK-NEXT: graph.{{reshape|flatten}}
// CHECK-NEXT: graph.gemm
// CHECK-NEXT: return

// COUNT-COUNT-53: graph.conv
// COUNT-NOT: graph.conv
