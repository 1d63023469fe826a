"""acc.ir: building, reading and printing IR, constants from and to numpy, errors."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from acc.ir import (
    Attribute,
    Block,
    BlockArgument,
    Context,
    DenseElementsAttr,
    DenseResourceElementsAttr,
    DictAttr,
    F32Type,
    FloatAttr,
    FunctionType,
    InsertionPoint,
    IntegerAttr,
    IntegerType,
    Location,
    MemRefType,
    MLIRError,
    Module,
    Operation,
    QuantizedType,
    RankedTensorType,
    SymbolTable,
    Type,
    UnitAttr,
    WalkOrder,
    WalkResult,
)

ADD = """
func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = arith.addf %x, %x : tensor<2x3xf32> loc("conv1")
  %1 = arith.mulf %0, %x : tensor<2x3xf32> loc(fused["bn1", "relu1"])
  return %1 : tensor<2x3xf32>
}
"""


@pytest.fixture
def context():
    with Context() as ctx:
        yield ctx


def body_of(module: Module) -> Block:
    return SymbolTable(module)["main"].regions[0].blocks[0]


# Types


def test_types(context):
    tensor = RankedTensorType.get([2, None, 4], F32Type.get())
    assert str(tensor) == "tensor<2x?x4xf32>"
    assert tensor.shape == [2, -1, 4] and tensor.rank == 3 and not tensor.has_static_shape
    assert tensor.element_type == F32Type.get()
    assert hash(tensor) == hash(Type.parse("tensor<2x?x4xf32>"))
    function = FunctionType.get([tensor], [IntegerType.get_unsigned(8)])
    assert str(function) == "(tensor<2x?x4xf32>) -> ui8"
    assert [str(t) for t in function.inputs] == ["tensor<2x?x4xf32>"]
    memref = Type.parse("memref<4xi8, 1>")
    assert MemRefType(memref).memory_space is not None
    assert not RankedTensorType.isinstance(memref)
    with pytest.raises(ValueError, match="not of class RankedTensorType"):
        RankedTensorType(memref)
    with pytest.raises(MLIRError):
        RankedTensorType.get([2], function)


def test_quantized_type(context):
    per_axis = Type.parse("!quant.uniform<i8:f32:0, {0.5:0, 0.25:3}>")
    assert isinstance(per_axis, QuantizedType)
    assert per_axis.axis == 0 and per_axis.scales == [0.5, 0.25] and per_axis.zero_points == [0, 3]
    per_tensor = QuantizedType(Type.parse("!quant.uniform<u8:f32, 0.1:128>"))
    assert per_tensor.axis is None and not per_tensor.is_signed and per_tensor.zero_points == [128]
    assert per_tensor.storage_type_max == 255


def test_malformed_type_names_the_place(context):
    with pytest.raises(MLIRError) as error:
        Type.parse("tensor<2xf33>")
    assert error.value.diagnostics[0].line == 1


# Attributes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3 : i64"),
        (-1.5, "-1.500000e+00 : f64"),
        (True, "true"),
        ("text", '"text"'),
        ([1, 2], "array<i64: 1, 2>"),
        ([True, False], "array<i1: true, false>"),
        ([0.5], "array<f64: 5.000000e-01>"),
        (["a", "b"], '["a", "b"]'),
        ([], "[]"),
        ({"a": 1}, "{a = 1 : i64}"),
        (np.float32(0.5), "5.000000e-01 : f32"),
        (np.int8(-3), "-3 : i8"),
        (np.uint8(200), "200 : ui8"),
        (np.array([1, 2], np.int32), "dense<[1, 2]> : tensor<2xi32>"),
    ],
)
def test_python_values_are_attributes(context, value, text):
    attr = Attribute.from_python(value)
    assert str(attr) == text
    back = attr.value
    if isinstance(value, np.ndarray):
        np.testing.assert_array_equal(back, value)
    else:
        assert back == value


def test_attribute_of_type_and_unit(context):
    assert Attribute.from_python(F32Type.get()).value == F32Type.get()
    assert UnitAttr.get().value is True
    assert DictAttr.get({"x": [1]})["x"].value == [1]
    assert FloatAttr.get_f32(0.1).value == pytest.approx(0.1)
    with pytest.raises(TypeError, match="no attribute"):
        Attribute.from_python(object())
    with pytest.raises(ValueError, match="does not fit"):
        IntegerAttr.get(IntegerType.get_signless(8), 300)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "uint8", "int32", "int64", "bool"])
@pytest.mark.parametrize("splat", [False, True])
def test_dense_round_trip(context, dtype, splat):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    if splat:
        array[:] = array.flat[1]
    attr = DenseElementsAttr.get(array)
    assert attr.is_splat == splat
    back = attr.value
    assert back.dtype == array.dtype and back.shape == array.shape
    np.testing.assert_array_equal(back, array)
    assert not back.flags.writeable


def test_dense_of_odd_layouts(context):
    array = np.arange(12, dtype=np.int32).reshape(3, 4).T[::2]
    np.testing.assert_array_equal(DenseElementsAttr.get(array).value, array)
    scalar = DenseElementsAttr.get(np.float32(2.0))
    assert str(scalar) == "dense<2.000000e+00> : tensor<f32>" and scalar.value.shape == ()
    assert DenseElementsAttr.get(np.zeros((0, 3), np.float32)).value.shape == (0, 3)
    i8 = DenseElementsAttr.get(np.array([255, 1], np.uint8), type=IntegerType.get_signless(8))
    assert i8.value.tolist() == [-1, 1]
    with pytest.raises(ValueError, match="cannot be"):
        DenseElementsAttr.get(array, type=Type.parse("tensor<5xi32>"))
    with pytest.raises(ValueError, match="cannot hold"):
        DenseElementsAttr.get(array, type=Type.parse("f64"))
    with pytest.raises(TypeError, match="no element type"):
        DenseElementsAttr.get(np.array(["a"]))


def aligned(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def test_resource_is_zero_copy_and_keeps_the_array_alive():
    array = aligned((4, 5), np.float32)
    array[:] = np.arange(20).reshape(4, 5)
    memory = weakref.ref(array.base)
    context = Context()
    attr = DenseResourceElementsAttr.get(array, "w", context=context)
    view = attr.value
    assert view.ctypes.data == array.ctypes.data
    assert not view.flags.writeable
    del array, attr, context
    gc.collect()
    np.testing.assert_array_equal(view, np.arange(20, dtype=np.float32).reshape(4, 5))
    assert memory() is not None
    del view
    gc.collect()
    assert memory() is None


def test_misaligned_resource_is_copied_once(context):
    array = aligned((17,), np.int8)[1:]
    attr = DenseResourceElementsAttr.get(array, "w")
    assert attr.value.ctypes.data % 64 == 0
    np.testing.assert_array_equal(attr.value, array)


def test_resource_survives_bytecode(context, tmp_path: Path):
    weights = np.random.default_rng(0).standard_normal((64, 33)).astype(np.float32)
    module = Module.parse(ADD)
    with InsertionPoint.at_block_begin(body_of(module)), Location.name("w"):
        Operation.create(
            "arith.constant", attributes={"value": DenseResourceElementsAttr.get(weights)}, infer_type=True
        )
    path = tmp_path / "module.mlirbc"
    module.operation.write_bytecode(path)
    assert [p.name for p in tmp_path.iterdir()] == ["module.mlirbc"]
    with Context():
        for again in (
            Module.parse_file(path),
            Module.parse(module.operation.write_bytecode()),
            Module.parse(str(module)),
        ):
            constant = body_of(again).operations[0]
            np.testing.assert_array_equal(constant.attributes["value"].value, weights)


def test_bytecode_into_a_missing_folder(context, tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        Module.create(Location.unknown()).operation.write_bytecode(tmp_path / "no" / "m.mlirbc")
    with pytest.raises(FileNotFoundError):
        Module.parse_file(tmp_path / "no.mlir")


# Operations


def test_reading_a_module(context):
    module = Module.parse(ADD)
    block = body_of(module)
    add, mul, ret = block.operations
    assert [op.name for op in block] == ["arith.addf", "arith.mulf", "func.return"]
    assert mul.operands[0] == add.result and isinstance(mul.operands[1], BlockArgument)
    assert mul.operands[0].owner == add and block.arguments[0].owner == block
    assert [(use.owner.name, use.operand_number) for use in add.result.uses] == [("arith.mulf", 0)]
    assert add.location.names == ["conv1"] and mul.location.names == ["bn1", "relu1"]
    assert block.terminator == ret and ret.parent == block.owner
    assert "main" in SymbolTable(module) and SymbolTable(module).get("other") is None
    assert add == block.operations[0] and hash(add) == hash(block.operations[0])
    assert block.operations[-1] == ret
    with pytest.raises(IndexError):
        block.operations[3]


def test_building_a_function(context):
    module = Module.create(Location.unknown())
    f32 = RankedTensorType.get([4], F32Type.get())
    with InsertionPoint(module.body), Location.file("model.py", 3, 1):
        function = Operation.create(
            "func.func",
            attributes={"sym_name": "main", "function_type": FunctionType.get([f32], [f32])},
            regions=1,
        )
    entry = function.regions[0].blocks.append(f32, arg_locs=[Location.name("input")])
    with InsertionPoint(entry):
        exp = Operation.create("math.exp", operands=[entry.arguments[0]], infer_type=True, loc=Location.name("exp"))
        Operation.create("func.return", operands=[exp.result])
    with InsertionPoint(exp):
        early = Operation.create("math.tanh", [f32], [entry.arguments[0]])
    InsertionPoint.after(early).insert(early.clone(ip=False))
    assert module.operation.verify()
    assert [op.name for op in entry] == ["math.tanh", "math.tanh", "math.exp", "func.return"]
    assert 'loc("exp")' in module.operation.get_asm(enable_debug_info=True)
    assert "func.func" in module.operation.get_asm(print_generic_op_form=True)


def test_creation_errors(context):
    with pytest.raises(ValueError, match="unknown operation"):
        Operation.create("graph.no_such_op")
    with pytest.raises(MLIRError) as error, Location.name("Conv_7"):
        Operation.create("func.func", attributes={"sym_name": 3})
    assert error.value.diagnostics[0].name == "Conv_7" and "sym_name" in str(error.value)
    with pytest.raises(ValueError, match="cannot infer"):
        Operation.create("func.func", infer_type=True)
    context.allow_unregistered_dialects = True
    assert Operation.create("other.op").name == "other.op"


def test_attributes_of_an_operation(context):
    function = SymbolTable(Module.parse(ADD))["main"]
    function.attributes["acc.layers"] = ["conv1", "relu1"]
    assert function.attributes["acc.layers"].value == ["conv1", "relu1"]
    assert set(function.attributes) == {"sym_name", "function_type", "acc.layers"}
    assert dict(function.attributes.items())["sym_name"].value == "main"
    del function.attributes["acc.layers"]
    assert "acc.layers" not in function.attributes and function.attributes.get("acc.layers") is None
    with pytest.raises(KeyError):
        function.attributes["acc.layers"]
    with pytest.raises(MLIRError):
        function.attributes["sym_name"] = 3


def test_walk(context):
    module = Module.parse(ADD)
    seen: list[str] = []
    module.operation.walk(lambda op: seen.append(op.name))
    assert seen == ["arith.addf", "arith.mulf", "func.return", "func.func", "builtin.module"]
    seen.clear()

    def skip(op: Operation) -> WalkResult:
        seen.append(op.name)
        return WalkResult.SKIP if op.name == "func.func" else WalkResult.ADVANCE

    module.operation.walk(skip, WalkOrder.PRE_ORDER)
    assert seen == ["builtin.module", "func.func"]
    with pytest.raises(ZeroDivisionError):
        module.operation.walk(lambda op: 1 // 0)  # type: ignore[arg-type]


def test_erase_and_replace(context):
    module = Module.parse(ADD)
    block = body_of(module)
    add, mul, _ = block.operations
    with pytest.raises(ValueError, match="still used"):
        add.erase()
    add.result.replace_all_uses_with(block.arguments[0])
    again = block.operations[0]
    add.erase()
    for gone in (add, again):
        assert not gone.is_valid and "gone" in repr(gone)
        with pytest.raises(ValueError, match="gone"):
            _ = gone.name
    module.operation.verify()
    mul.replace_all_uses_with([block.arguments[0]])
    value = mul.result
    mul.erase()
    with pytest.raises(ValueError, match="gone"):
        _ = value.type
    assert len(block.operations) == 1


def test_operations_outlive_their_module(context):
    block = body_of(Module.parse(ADD))
    gc.collect()
    assert [op.name for op in block] == ["arith.addf", "arith.mulf", "func.return"]


def test_moving(context):
    module = Module.parse(ADD)
    block = body_of(module)
    add, mul, ret = block.operations
    copy = add.clone(ip=False)
    assert copy.parent is None and not copy.attached
    block.append(copy)
    copy.move_before(mul)
    add.move_after(copy)
    assert list(block) == [copy, add, mul, ret]
    add.detach_from_parent()
    assert len(block.operations) == 3
    InsertionPoint(mul).insert(add)
    assert module.operation.verify()
    with pytest.raises(ValueError, match="into itself"):
        block.append(module.operation)


def test_elided_text(context):
    with InsertionPoint(Module.create().body):
        op = Operation.create(
            "arith.constant",
            attributes={"value": np.arange(100, dtype=np.float32)},
            infer_type=True,
        )
        assert len(op.get_asm(large_elements_limit=8, use_local_scope=True)) < 200
        assert len(str(op)) > 1000


def test_verification_error_has_names(context):
    with pytest.raises(MLIRError) as error:
        Module.parse('func.func @f() -> i32 { return loc("Relu_3") }')
    diagnostic = error.value.diagnostics[0]
    assert diagnostic.severity == "error" and diagnostic.name == "Relu_3"
    assert str(error.value).startswith("Relu_3: ")


def test_notes_are_kept(context):
    with pytest.raises(MLIRError) as error:
        Module.parse("func.func @f() { return }\nfunc.func @f() { return }")
    assert error.value.diagnostics[0].notes[0].line == 1


def test_default_context_and_location():
    with pytest.raises(ValueError, match="no context"):
        Type.parse("f32")
    with Context() as outer:
        assert Context.current is outer
        with Location.name("here") as here:
            assert Location.current == here
            with Context():
                assert Location.current is None
    assert Context.current is None


def test_mixing_contexts_is_refused():
    with Context():
        first = Module.parse(ADD)
    with Context():
        with pytest.raises(ValueError, match="another context"):
            first.operation.attributes["x"] = F32Type.get()
        other = Module.create()
    with pytest.raises(ValueError, match="another context"):
        other.body.append(body_of(first).operations[0].clone())
