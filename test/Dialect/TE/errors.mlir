// RUN: acc-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{tile sizes must not be negative, got -1}}
#negative = #te.tile<sizes = [-1]>

// -----

// expected-error @+1 {{order names axis 0, which is not tiled}}
#whole = #te.tile<sizes = [0, 2], order = [0, 1]>

// -----

// expected-error @+1 {{order names axis 1 twice}}
#twice = #te.tile<sizes = [0, 2], order = [1, 1]>

// -----

// expected-error @+1 {{order omits the tiled axis 1}}
#omitted = #te.tile<sizes = [2, 2], order = [0]>

// -----

// expected-error @+1 {{a level of kind vthread must have a size in one axis, got array<i64: 0>}}
#none = #te.tile<sizes = [0], kind = vthread>

// -----

// expected-error @+1 {{a level of kind vector must have a size in one axis, got array<i64: 2, 4>}}
#two = #te.tile<sizes = [2, 4], kind = vector>

// -----

// expected-error @+1 {{the lanes of a vector must be a power of two, got 12}}
#lanes = #te.tile<sizes = [0, 12], kind = vector>

// -----

// expected-error @+2 {{expected ::acc::te::LevelKind to be one of: serial, vthread, vector, register, parallel}}
// expected-error @+1 {{failed to parse TE_TileAttr parameter 'kind' which is to be a `::acc::te::LevelKind`}}
#kind = #te.tile<sizes = [2], kind = block>

// -----

// expected-error @+1 {{there are two levels of kind register}}
#registers = #te.schedule<tiles = [#te.tile<sizes = [2], kind = register>, #te.tile<sizes = [0, 2], kind = register>]>

// -----

// expected-error @+1 {{virtual threads need a serial level before them}}
#first = #te.schedule<tiles = [#te.tile<sizes = [2], kind = vthread>, #te.tile<sizes = [2]>]>

// -----

// expected-error @+1 {{level must not be negative, got -1}}
#level = #te.cache<arg = 0, memory = 1, level = -1>

// -----

// expected-error @+1 {{slots must be at least 1, got 0}}
#slots = #te.cache<arg = 0, memory = 1, level = 0, slots = 0>

// -----

// expected-error @+1 {{tiles must hold #te.tile, got 1}}
#tiles = #te.schedule<tiles = [1]>

// -----

// expected-error @+1 {{the virtual threads' axis 1 is not tiled in the first level}}
#axis = #te.schedule<tiles = [#te.tile<sizes = [2, 0]>, #te.tile<sizes = [0, 2], kind = vthread>]>

// -----

// expected-error @+1 {{argument 0 is cached twice}}
#cached = #te.schedule<tiles = [], caches = [#te.cache<arg = 0, memory = 1, level = 0>, #te.cache<arg = 0, memory = 2, level = 0>]>

// -----

// expected-error @+1 {{argument 0 is cached at level 2, but there are 1 serial tile levels}}
#deep = #te.schedule<tiles = [#te.tile<sizes = [2]>], caches = [#te.cache<arg = 0, memory = 1, level = 2>]>

// -----

// expected-error @+1 {{has 1 results but only 0 arguments; the trailing arguments must be the initial values of the results}}
te.kernel @results() -> tensor<4xi8> attributes {target = #te.host} {
  %0 = tensor.empty() : tensor<4xi8>
  te.return %0 : tensor<4xi8>
}

// -----

te.kernel @ranks(%x: tensor<4xi8>, %b: tensor<1x4xi8>, %o: tensor<1x4xi8>) -> tensor<1x4xi8> attributes {target = #te.host} {
  // expected-error @+1 {{source and target have ranks 1 and 2}}
  %0 = te.cache_read ins(%x : tensor<4xi8>) outs(%b : tensor<1x4xi8>) low [0, 0] high [0, 0] -> tensor<1x4xi8>
  te.return %0 : tensor<1x4xi8>
}

// -----

te.kernel @narrow(%x: tensor<4xi32>, %o: tensor<4xi8>) -> tensor<4xi8> attributes {target = #te.host} {
  // expected-error @+1 {{cannot read 'i32' as 'i8'}}
  %0 = te.cache_read ins(%x : tensor<4xi32>) outs(%o : tensor<4xi8>) low [0] high [0] -> tensor<4xi8>
  te.return %0 : tensor<4xi8>
}

// -----

te.kernel @padding(%x: tensor<4xi8>, %o: tensor<7xi8>) -> tensor<7xi8> attributes {target = #te.host} {
  // expected-error @+1 {{dimension 0 of the target is 7, not 1 + 4 + 1}}
  %0 = te.cache_read ins(%x : tensor<4xi8>) outs(%o : tensor<7xi8>) low [1] high [1] -> tensor<7xi8>
  te.return %0 : tensor<7xi8>
}

// -----

te.kernel @noresult(%x: tensor<4xi8>, %o: tensor<4xi8>) -> tensor<4xi8> attributes {target = #te.host} {
  // expected-error @+1 {{must have a result on tensors and none on memrefs}}
  te.cache_read ins(%x : tensor<4xi8>) outs(%o : tensor<4xi8>) low [0] high [0]
  te.return %o : tensor<4xi8>
}

// -----

te.kernel @widen(%x: tensor<4xi8>, %o: tensor<4xi32>) -> tensor<4xi32> attributes {target = #te.host} {
  // expected-error @+1 {{cannot write 'i8' as 'i32'}}
  %0 = te.cache_write ins(%x : tensor<4xi8>) outs(%o : tensor<4xi32>) -> tensor<4xi32>
  te.return %0 : tensor<4xi32>
}

// -----

// expected-error @+1 {{body must be a single linalg operation}}
te.intrin @nothing emits "vta.alu" {
^bb0(%acc: memref<1x16xi32>):
  %0 = arith.constant 0 : i32
}

// -----

// expected-error @+1 {{argument #1 must be a memref or a scalar immediate, got 'vector<4xi32>'}}
te.intrin @vector emits "vta.reset" {
^bb0(%acc: memref<1x16xi32>, %v: vector<4xi32>):
  %0 = arith.constant 0 : i32
  linalg.fill ins(%0 : i32) outs(%acc : memref<1x16xi32>)
}

// -----

func.func @elsewhere() {
  // expected-error @+1 {{has 'te.vthread', which belongs on scf.for}}
  return {te.vthread = 2 : i64}
}

// -----

func.func @count(%n: index) {
  // expected-error @+1 {{'te.vthread' must be a positive integer}}
  scf.for %i = %n to %n step %n {
  } {te.vthread = 0 : i64}
  return
}

// -----

func.func @unknown() {
  // expected-error @+1 {{has the unknown attribute 'te.frobnicate'}}
  return {te.frobnicate}
}

// -----

func.func @launch(%x: tensor<4xi8>) -> tensor<4xi8> {
  // expected-error @+1 {{refers to no te.kernel or te.program named @missing}}
  %0 = te.launch @missing outs(%x : tensor<4xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

func.func @check(%ok: i1, %n: index) {
  // expected-error @+1 {{has 1 texts for 1 numbers; one more is needed}}
  te.check %ok, ["of"](%n)
  return
}

// -----

// expected-error @+1 {{has "vta" as its target, which is none: expected an attribute such as #te.host}}
te.kernel @misspelt() attributes {target = "vta"} {
  te.return
}

// -----

// expected-error @+1 {{stages argument 0 in #vta.mem<uop>, which is no memory of its target}}
te.kernel @memory(%x: tensor<4x1x16xi8>) attributes {target = #vta.config<>,
    schedule = #te.schedule<tiles = [], caches = [#te.cache<arg = 0, memory = #vta.mem<uop>, level = 0>]>} {
  te.return
}

// -----

// expected-error @+1 {{accumulates in #vta.mem<acc>, which is no memory of its target}}
te.kernel @accumulator() attributes {target = #te.host, schedule = #te.schedule<tiles = [], accumulator = #vta.mem<acc>>} {
  te.return
}

// -----

// expected-error @+1 {{there are two scratchpads "a"}}
#two = #te.target<name = "t", scratchpads = [#te.memory<space = "a", shape = [8], type = i8, capacity = 1>,
                                             #te.memory<space = "a", shape = [4], type = i8, capacity = 1>]>

// -----

// expected-error @+1 {{'inputs' is no role: expected argument, input, weight, accumulator, output}}
#role = #te.target<name = "t", scratchpads = [], roles = {inputs = "a"}>

// -----

// expected-error @+1 {{the role 'input' is played by "a", which is no scratchpad}}
#played = #te.target<name = "t", scratchpads = [], roles = {input = "a"}>

// -----

te.kernel @issue(%x: memref<4x8xi32>) attributes {target = #te.host} {
  // expected-error @+1 {{refers to no te.intrin named @missing}}
  te.issue @missing outs(%x : memref<4x8xi32>) bounds [4] maps [affine_map<(m) -> (m)>]
  te.return
}

// -----

te.kernel @maps(%x: memref<4x8xi32>) attributes {target = #te.host} {
  // expected-error @+1 {{has 1 bounds but the map affine_map<(d0, d1) -> (d0)>}}
  te.issue @missing outs(%x : memref<4x8xi32>) bounds [4] maps [affine_map<(m, n) -> (m)>]
  te.return
}

// -----

// expected-error @+1 {{has 3 : i64 as its target, which is none}}
te.program @target for 3 (memref<8xi8>) written 1 data ""

// -----

// expected-error @+1 {{is for the host, which runs native code}}
te.program @host for #te.host (memref<8xi8>) written 1 data ""

// -----

// expected-error @+1 {{has 'memref<?xi8>' among its buffers: expected memrefs of known sizes}}
te.program @open for #te.target<name = "t", scratchpads = []> (memref<?xi8>) written 1 data ""

// -----

// expected-error @+1 {{writes 2 of its 1 buffers}}
te.program @written for #te.target<name = "t", scratchpads = []> (memref<8xi8>) written 2 data ""

// -----

te.program @p for #te.target<name = "t", scratchpads = []> (memref<8xi8>, memref<8xi8>) written 1 data ""
func.func @operands(%x: memref<8xi8>, %y: memref<4xi8>) {
  // expected-error @+1 {{operand types must be those of the buffers of @p, [memref<8xi8>, memref<8xi8>]}}
  te.launch @p ins(%x : memref<8xi8>) outs(%y : memref<4xi8>)
  return
}

// -----

te.program @p for #te.target<name = "t", scratchpads = []> (memref<8xi8>, memref<8xi8>) written 1 data ""
func.func @writes(%x: memref<8xi8>) {
  // expected-error @+1 {{has 2 written buffers but @p writes 1}}
  te.launch @p outs(%x, %x : memref<8xi8>, memref<8xi8>)
  return
}

// -----

te.program @p for #te.target<name = "t", scratchpads = []> (memref<8xi8>) written 1 data ""
func.func @results(%x: tensor<8xi8>) {
  // expected-error @+1 {{has results, but @p is a program, which writes to buffers}}
  %y = te.launch @p outs(%x : tensor<8xi8>) -> tensor<8xi8>
  return
}

// -----

// expected-error @+1 {{'te.kernel' op has {rows = 4 : i64} as its schedule, which is no #te.schedule}}
te.kernel @dictionary() attributes {target = #te.host, schedule = {rows = 4}} {
  te.return
}

// -----

func.func @elsewhere() {
  // expected-error @+1 {{has 'te.schedule', which belongs on operations of linalg}}
  return {te.schedule = #te.schedule<tiles = []>}
}

// -----

func.func @other(%x: memref<4xf32>, %c: f32) {
  // expected-error @+1 {{'te.schedule' must be a #te.schedule, not 3}}
  linalg.fill {te.schedule = 3} ins(%c : f32) outs(%x : memref<4xf32>)
  return
}
