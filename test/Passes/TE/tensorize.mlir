// RUN: acc-opt --te-declare-intrins --te-tensorize %s -split-input-file -verify-diagnostics | FileCheck %s

#vta = #vta.config<log_block = 1, log_inp_buff_size = 10, log_wgt_buff_size = 10, log_acc_buff_size = 12>
#x = affine_map<(c, h, k, r, b, o, i) -> (k, h * 2 + r, b, i)>
#w = affine_map<(c, h, k, r, b, o, i) -> (c, k, r, o, i)>
#y = affine_map<(c, h, k, r, b, o, i) -> (c, h, b, o)>
#v = affine_map<(c, h, b, o) -> (c, b, o)>
#id = affine_map<(c, h, b, o) -> (c, h, b, o)>
#px = affine_map<(c, h, r, b, o) -> (c, h + r, b, o)>
#pk = affine_map<(c, h, r, b, o) -> (r)>
#py = affine_map<(c, h, r, b, o) -> (c, h, b, o)>

// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d1 * 2 + d3)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
// CHECK-DAG: #[[Y:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1)>
// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[V:.*]] = affine_map<(d0, d1) -> (d0)>
module attributes {vta.config = #vta} {
// CHECK-LABEL: te.kernel @steps
// CHECK-SAME: %[[N:.*]]: index, %[[INP:.*]]: memref<4x?x1x2xi8, #vta.mem<inp>>
te.kernel @steps(%n: index, %inp: memref<4x?x1x2xi8, #vta.mem<inp>>, %wgt: memref<2x4x3x2x2xi8, #vta.mem<wgt>>,
                 %bias: memref<2x1x2xi32, #vta.mem<acc>>) attributes {target = #vta, schedule = #te.schedule<tiles = []>} {
  %zero = arith.constant 0 : i32
  %c2 = arith.constant 2 : i32
  %low = arith.constant -128 : i32
  %acc = memref.alloc(%n) : memref<2x?x1x2xi32, #vta.mem<acc>>
  // CHECK: vta.reset outs(%[[ACC:.*]] : memref<2x?x1x2xi32, #vta.mem<acc>>)
  linalg.fill ins(%zero : i32) outs(%acc : memref<2x?x1x2xi32, #vta.mem<acc>>)
  // Operands of commutative operations may stand either way round.
  // CHECK: vta.gemm ins(%[[INP]], %{{.*}}) outs(%[[ACC]] : {{.*}}) bounds [2, %[[N]], 4, 3] maps [#[[X]], #[[W]], #[[Y]]]
  linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction", "reduction", "parallel", "parallel", "reduction"]}
      ins(%inp, %wgt : memref<4x?x1x2xi8, #vta.mem<inp>>, memref<2x4x3x2x2xi8, #vta.mem<wgt>>) outs(%acc : memref<2x?x1x2xi32, #vta.mem<acc>>) {
  ^bb0(%xv: i8, %wv: i8, %a: i32):
    %0 = arith.extsi %xv : i8 to i32
    %1 = arith.extsi %wv : i8 to i32
    %2 = arith.muli %1, %0 : i32
    %3 = arith.addi %2, %a : i32
    linalg.yield %3 : i32
  }
  // CHECK: vta.alu add outs(%[[ACC]] : {{.*}}) ins(%{{.*}}) bounds [2, %[[N]]] maps [#[[ID]], #[[V]]]
  linalg.generic {indexing_maps = [#v, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%bias : memref<2x1x2xi32, #vta.mem<acc>>) outs(%acc : memref<2x?x1x2xi32, #vta.mem<acc>>) {
  ^bb0(%b: i32, %a: i32):
    %0 = arith.addi %b, %a : i32
    linalg.yield %0 : i32
  }
  // CHECK: vta.alu shr outs(%[[ACC]] : {{.*}}) imm -2 bounds [2, %[[N]]] maps [#[[ID]]]
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%acc : memref<2x?x1x2xi32, #vta.mem<acc>>) {
  ^bb0(%a: i32):
    %0 = arith.shli %a, %c2 : i32
    linalg.yield %0 : i32
  }
  // A step that changes nothing is nothing.
  // CHECK-NOT: vta.alu
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%acc : memref<2x?x1x2xi32, #vta.mem<acc>>) {
  ^bb0(%a: i32):
    linalg.yield %a : i32
  }
  // CHECK: te.return
  te.return
}

// CHECK-LABEL: te.kernel @pool
te.kernel @pool(%x: memref<2x6x1x2xi32, #vta.mem<acc>>, %y: memref<2x4x1x2xi32, #vta.mem<acc>>)
    attributes {target = #vta, schedule = #te.schedule<tiles = []>} {
  %low = arith.constant -128 : i32
  %window = memref.alloc() : memref<3xi32>
  // CHECK-NOT: memref.alloc
  // CHECK: vta.reset
  // CHECK-NEXT: vta.alu add {{.*}} imm -128 bounds [2, 4]
  linalg.fill ins(%low : i32) outs(%y : memref<2x4x1x2xi32, #vta.mem<acc>>)
  // CHECK-NEXT: vta.alu max {{.*}} bounds [2, 4, 3]
  linalg.generic {indexing_maps = [#px, #pk, #py], iterator_types = ["parallel", "parallel", "reduction", "parallel", "parallel"]}
      ins(%x, %window : memref<2x6x1x2xi32, #vta.mem<acc>>, memref<3xi32>) outs(%y : memref<2x4x1x2xi32, #vta.mem<acc>>) {
  ^bb0(%v: i32, %k: i32, %a: i32):
    %0 = arith.maxsi %a, %v : i32
    linalg.yield %0 : i32
  }
  te.return
}
}

// -----

#vta = #vta.config<log_block = 1, log_inp_buff_size = 10, log_wgt_buff_size = 10, log_acc_buff_size = 12>
#id = affine_map<(c, b, o) -> (c, b, o)>

module attributes {vta.config = #vta} {
te.kernel @wide(%y: memref<4x1x2xi32, #vta.mem<acc>>) attributes {target = #vta, schedule = #te.schedule<tiles = []>} {
  %big = arith.constant 100000 : i32
  // expected-error @+2 {{is no declared intrinsic of the target}}
  // expected-note @+1 {{@vta_add_imm: its operands cannot be encoded in vta.alu}}
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]} outs(%y : memref<4x1x2xi32, #vta.mem<acc>>) {
  ^bb0(%a: i32):
    %0 = arith.addi %a, %big : i32
    linalg.yield %0 : i32
  }
  te.return
}
}

// -----

#vta = #vta.config<log_block = 1, log_inp_buff_size = 10, log_wgt_buff_size = 10, log_acc_buff_size = 12>
#id = affine_map<(b, o) -> (b, o)>
#cid = affine_map<(c, b, o) -> (c, b, o)>

// A new intrinsic is a declaration: subtracting an immediate is adding its negative.
module attributes {vta.config = #vta} {
te.intrin @my_sub_imm emits "vta.alu" with {op = #vta<alu_op add>, negate} {
^bb0(%acc: memref<1x2xi32, #vta.mem<acc>>, %imm: i32):
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%acc : memref<1x2xi32, #vta.mem<acc>>) {
  ^bb0(%a: i32):
    %0 = arith.subi %a, %imm : i32
    linalg.yield %0 : i32
  }
}
// CHECK-LABEL: te.kernel @declared
// CHECK: vta.alu add {{.*}} imm -7 bounds [4]
te.kernel @declared(%y: memref<4x1x2xi32, #vta.mem<acc>>) attributes {target = #vta, schedule = #te.schedule<tiles = []>} {
  %seven = arith.constant 7 : i32
  linalg.generic {indexing_maps = [#cid], iterator_types = ["parallel", "parallel", "parallel"]} outs(%y : memref<4x1x2xi32, #vta.mem<acc>>) {
  ^bb0(%a: i32):
    %0 = arith.subi %a, %seven : i32
    linalg.yield %0 : i32
  }
  te.return
}

}

// -----

#vta = #vta.config<log_block = 1, log_inp_buff_size = 10, log_wgt_buff_size = 10, log_acc_buff_size = 12>

module attributes {vta.config = #vta} {
te.kernel @other(%y: memref<4x1x2xi32, #vta.mem<acc>>, %x: memref<4x3x1x2xi32, #vta.mem<acc>>)
    attributes {target = #vta, schedule = #te.schedule<tiles = [], intrinsic = @vta_gemm>} {
  // expected-error @+1 {{is @vta_add, but the schedule wants @vta_gemm}}
  linalg.generic {indexing_maps = [affine_map<(c, k, b, o) -> (c, k, b, o)>, affine_map<(c, k, b, o) -> (c, b, o)>],
      iterator_types = ["parallel", "reduction", "parallel", "parallel"]}
      ins(%x : memref<4x3x1x2xi32, #vta.mem<acc>>) outs(%y : memref<4x1x2xi32, #vta.mem<acc>>) {
  ^bb0(%v: i32, %a: i32):
    %0 = arith.addi %a, %v : i32
    linalg.yield %0 : i32
  }
  te.return
}
}

// -----

// An attribute that the definition leaves open, the table, goes with the operation.
#vta = #vta.config<log_block = 1, log_inp_buff_size = 10, log_wgt_buff_size = 10, log_acc_buff_size = 12, alu_table = 1>
#id = affine_map<(c, b, o) -> (c, b, o)>
#same = array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>
module attributes {vta.config = #vta} {
// CHECK-LABEL: te.kernel @look_up
te.kernel @look_up(%acc: memref<4x1x2xi32, #vta.mem<acc>>) attributes {target = #vta, schedule = #te.schedule<tiles = []>} {
  // CHECK: vta.alu table outs(%{{.*}} : memref<4x1x2xi32, #vta.mem<acc>>) table {{\[}}-128, {{.*}} 127] bounds [4]
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%acc : memref<4x1x2xi32, #vta.mem<acc>>) {
  ^bb0(%a: i32):
    %0 = vta.lookup_step %a in #same
    linalg.yield %0 : i32
  }
  te.return
}
}
