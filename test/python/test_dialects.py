"""acc.dialects, acc.passes and affine maps: the classes and functions that policies and pipelines are written with."""

import importlib
import inspect
import random

import pytest

from acc import ir, passes
from acc.dialects import graph, te, vta
from acc.dialects._attributes import Enumeration, TypedAttribute
from acc.errors import MLIRError
from acc.passes import host, upstream
from acc.passes import te as te_passes
from acc.passmanager import PassManager

SCHEDULE = (
    "#te.schedule<tiles = [#te.tile<sizes = [1, 2], order = [1, 0]>, #te.tile<sizes = [0, 2], kind = vthread>, "
    "#te.tile<sizes = [0, 0, 2]>], caches = [#te.cache<arg = 0, memory = #vta.mem<inp>, level = 1, slots = 2>], "
    "accumulator = #vta.mem<acc>, intrinsic = @vta_gemm>"
)
EXAMPLES = (
    SCHEDULE,
    "#te.host",
    '#graph.placement<kernel = "k0">',
    '#graph.placement<kernel = "k0", target = #te.host, reason = "small">',
    "#vta.uops<[0, 0, 0], [0, 1, 9]>",
)


@pytest.fixture
def context():
    with ir.Context() as made:
        yield made


# --- attributes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split("<")[0])
def test_attributes_round_trip(context, text):
    parsed = ir.Attribute.parse(text)
    assert isinstance(parsed, TypedAttribute) and type(parsed).isinstance(parsed)
    parameters = {n: getattr(parsed, n) for n, p in vars(type(parsed)).items() if isinstance(p, property)}
    assert type(parsed).get(**parameters) == parsed
    with pytest.raises(ValueError, match="is not of class"):
        type(parsed)(ir.UnitAttr.get())


@pytest.mark.parametrize("dialect", [graph, te, vta], ids=lambda module: module.__name__)
def test_enumerations(context, dialect):
    enums = [c for c in vars(dialect).values() if inspect.isclass(c) and issubclass(c, Enumeration)]
    for enum in (c for c in enums if c is not Enumeration):
        assert all(enum.named(str(case)) is case for case in enum)
        with pytest.raises(ValueError, match="is no"):
            enum.named("nothing")


def test_parameters(context):
    schedule = ir.Attribute.parse(SCHEDULE)
    made = te.ScheduleAttr.get(
        [
            te.TileAttr.get([1, 2], order=[1, 0]),
            te.TileAttr.get([0, 2], kind=te.LevelKind.VThread),
            te.TileAttr.get([0, 0, 2]),
        ],
        caches=[te.CacheAttr.get(0, vta.MemorySpaceAttr.get(vta.MemorySpace.Inp), 1, slots=2)],
        accumulator=vta.MemorySpaceAttr.get(vta.MemorySpace.named("acc")),
        intrinsic="vta_gemm",
    )
    assert made == schedule
    assert [list(tile.sizes.value) for tile in made.tiles] == [[1, 2], [0, 2], [0, 0, 2]]
    assert [tile.kind for tile in made.tiles] == [te.LevelKind.named(k) for k in ("serial", "vthread", "serial")]
    assert made.caches[0].memory.value is vta.MemorySpace.Inp and made.tiles[1].order is None
    config = ir.Attribute.parse("#vta.config<log_block = 4, dialect = public>")
    assert (config.log_block_in, config.log_block_out, config.dialect) == (4, 4, "public")
    assert vta.ConfigAttr.get(log_block=4, dialect="public") == config


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: te.TileAttr.get([12], kind=te.LevelKind.Vector), MLIRError, "must be a power of two, got 12"),
        (lambda: te.ScheduleAttr.get([1]), MLIRError, "tiles must hold #te.tile"),
        (lambda: te.CacheAttr.get(0, None, 0), MLIRError, "`memory` is missing"),
        (lambda: vta.ConfigAttr.get(log_inp_width=9), MLIRError, "LOG_INP_WIDTH is 9"),
        (lambda: vta.ConfigAttr.get(log_inp=3), MLIRError, "unknown parameter"),
        (lambda: vta.ConfigAttr.get(log_batch=1.5), TypeError, "log_batch is an int or a str"),
        (lambda: vta.MemorySpaceAttr.get(77), ValueError, "77 is not a valid MemorySpace"),
        (lambda: te.TileAttr.get("ab"), TypeError, "incompatible function arguments"),
        (lambda: graph.PlacementAttr.get(""), MLIRError, "kernel"),
    ],
)
def test_attributes_that_are_not_legal(context, make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_attributes_of_another_context(context):
    with ir.Context():
        other = te.TileAttr.get([1])
    with pytest.raises(ValueError, match="another context"):
        te.ScheduleAttr.get([other])


# --- affine maps -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_expressions_compute_what_python_does(context, seed):
    rng = random.Random(seed)
    dims = [rng.randint(-9, 9) for _ in range(3)]

    def grow(depth: int) -> tuple[ir.AffineExpr, int]:
        if not depth or rng.random() < 0.2:
            if rng.random() < 0.3:
                value = rng.randint(-9, 9)
                return ir.AffineExpr.get_constant(value), value
            dim = rng.randrange(3)
            return ir.AffineExpr.get_dim(dim), dims[dim]
        (left, a), (right, b), by = grow(depth - 1), grow(depth - 1), rng.randint(1, 5)
        return rng.choice(
            [
                (left + right, a + b),
                (left - right, a - b),
                (left * by, a * by),
                (by * left + 1, a * by + 1),
                (left // by, a // by),
                (left % by, a % by),
                (left.ceil_div(by), -(-a // by)),
                (-left, -a),
            ]
        )

    expr, value = grow(4)
    assert expr.evaluate(dims) == value, f"seed {seed}: {expr}"
    made = ir.AffineMap.get(3, 0, [expr, 7])
    assert made.evaluate(dims) == [value, 7]
    assert made.compose(ir.AffineMap.get_identity(3)) == made
    attribute = ir.AffineMapAttr.get(made)
    assert attribute.value == made
    # Parsing may group the terms of a sum anew.
    assert ir.Attribute.parse(str(attribute)).value.evaluate(dims) == [value, 7], f"seed {seed}: {expr}"


def test_parts_of_expressions(context):
    (attribute,) = ir.Attribute.parse("[affine_map<(d0, d1)[s0] -> (d0 * 2 + s0, d1 floordiv 4, 3)>]")
    made = attribute.value
    assert (made.n_dims, made.n_symbols, made.n_inputs) == (2, 1, 3)
    total, quotient, constant = made.results
    assert isinstance(total, ir.AffineAddExpr) and isinstance(total.lhs, ir.AffineMulExpr)
    assert total.lhs.lhs == ir.AffineExpr.get_dim(0) and total.lhs.rhs.value == 2 and total.rhs.position == 0
    assert isinstance(quotient, ir.AffineFloorDivExpr) and constant.value == 3
    assert made.evaluate([1, 9], [5]) == [7, 2, 3]
    assert ir.AffineMap.get_permutation([1, 0]).is_permutation


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda d: d * d, ValueError, "free of dimensions"),
        (lambda d: d // 0, ValueError, "positive"),
        (lambda d: 4 % d, ValueError, "free of dimensions"),
        (lambda d: d + "a", TypeError, "an AffineExpr or an int"),
        (lambda d: (d * 2**62).evaluate([8]), ValueError, "64 bits"),
        (lambda d: d.evaluate(), ValueError, "no value"),
        (lambda d: ir.AffineExpr.get_dim(-1), ValueError, "not negative"),
        (lambda d: ir.AffineMap.get(0, 0, [d]), ValueError, "does not have"),
        (lambda d: ir.AffineMap.get_permutation([0, 2]), ValueError, "not a permutation"),
        (lambda d: ir.AffineMap.get(1, 0, [d]).evaluate([1, 2]), ValueError, "as many values"),
        (lambda d: ir.AffineMap.get(1, 0, [d]).compose(ir.AffineMap.get_identity(2)), ValueError, "2 results"),
    ],
)
def test_expressions_that_are_not_affine(context, make, error, message):
    with pytest.raises(error, match=message):
        make(ir.AffineExpr.get_dim(0))


# --- passes ----------------------------------------------------------------------------------------------------------


def test_passes_are_their_text(context):
    manager = PassManager()
    manager.add(te_passes.tile())
    manager.add(te_passes.cache())
    manager.add(host.plan_memory(alignment=128))
    manager.add(upstream.linalg_fuse_elementwise_ops().on("te.kernel"))
    names = ("te.kernel(te-tile)", "te-cache", "host-plan-memory{alignment=128", "te.kernel(linalg-fuse")
    assert all(name in str(manager) for name in names), str(manager)
    assert upstream.math_expand_ops(ops=["ceilf", "roundeven"]) == "math-expand-ops{ops=ceilf,roundeven}"


@pytest.mark.parametrize("family", ["graph", "te", "host", "vta", "upstream"])
def test_every_pass_can_be_added(context, family):
    """With the defaults that its function has: what it returns is a pipeline of MLIR's."""
    module = importlib.import_module(f"acc.passes.{family}")
    functions = [f for f in vars(module).values() if inspect.isfunction(f)]
    assert functions
    for function in functions:
        made = function()
        assert isinstance(made, passes.Pass)
        if made.anchor in ("", "builtin.module") and family != "upstream":
            PassManager().add(made)
        elif family != "upstream":
            PassManager().add(made.on(made.anchor))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: host.bufferize(aligment=64), TypeError, "unexpected keyword argument"),
        (lambda: host.bufferize(alignment="64"), TypeError, "host-bufferize: alignment is of type int, not '64'"),
        (lambda: host.bufferize(alignment=True), TypeError, "is of type int, not True"),
        (lambda: host.lower_abi(guard=1), TypeError, "is of type bool, not 1"),
        (lambda: upstream.math_expand_ops(ops="ceilf"), TypeError, "is a sequence of str"),
        (lambda: upstream.math_expand_ops(ops=["a b"]), ValueError, "cannot be an option"),
        (lambda: te_passes.tile().on("func.func"), ValueError, "te-tile is a pass for te.kernel, not for func.func"),
    ],
)
def test_options_that_are_not_legal(make, error, message):
    with pytest.raises(error, match=message):
        make()
