"""acc.passmanager: textual pipelines, Python callables as passes, timings, errors."""

import gc
import threading
import time
import weakref

import pytest

from acc.ir import Context, MLIRError, Module, Operation, SymbolTable
from acc.passmanager import PassManager

DEAD = """
func.func @main(%x: i32) -> i32 {
  %0 = arith.addi %x, %x : i32
  return %x : i32
}
"""


@pytest.fixture
def context():
    with Context() as ctx:
        yield ctx


def names(module: Module) -> list[str]:
    result: list[str] = []
    module.operation.walk(lambda op: result.append(op.name))
    return result


def test_textual_pipeline(context):
    module = Module.parse(DEAD)
    pm = PassManager.parse("builtin.module(func.func(cse),canonicalize)")
    pm.run(module)
    assert "arith.addi" not in names(module)
    assert [name for name, _ in pm.timings] == ["cse", "canonicalize"]
    assert all(seconds >= 0 for _, seconds in pm.timings)
    assert str(pm).startswith("builtin.module(func.func(cse)")


def test_own_passes_are_known(context):
    PassManager.parse("builtin.module(inline)")
    with pytest.raises(MLIRError, match="no-such-pass"):
        PassManager.parse("builtin.module(no-such-pass)")
    with pytest.raises(MLIRError, match="not valid"):
        PassManager().add("canonicalize,,")


def test_callable_pass(context):
    module = Module.parse(DEAD)

    def rename(op: Operation) -> None:
        SymbolTable(op)["main"].attributes["sym_name"] = "renamed"

    pm = PassManager()
    pm.add("canonicalize")
    pm.add(rename)
    pm.add("cse")
    pm.run(module)
    assert "renamed" in SymbolTable(module)
    assert [name for name, _ in pm.timings] == ["canonicalize", "rename", "cse"]


def test_callable_may_erase_and_create(context):
    module = Module.parse(DEAD)

    def erase_dead(op: Operation) -> None:
        for inner in SymbolTable(op)["main"].regions[0].blocks[0].operations:
            if inner.name == "arith.addi":
                inner.clone(ip=False)
                inner.erase()

    pm = PassManager()
    pm.add(erase_dead)
    pm.run(module)
    assert names(module) == ["func.return", "func.func", "builtin.module"]


def test_exceptions_come_back(context):
    module = Module.parse(DEAD)

    class MyError(Exception):
        pass

    def fail(op: Operation) -> None:
        raise MyError("because")

    pm = PassManager()
    pm.add(fail)
    with pytest.raises(MyError, match="because"):
        pm.run(module)
    with pytest.raises(MyError):
        pm.run(module)


def test_references_do_not_dangle(context):
    module = Module.parse(DEAD)
    kept: list[Operation] = []
    before = SymbolTable(module)["main"]
    pm = PassManager()
    pm.add(lambda op: kept.extend([op, SymbolTable(op)["main"]]), "keep")
    pm.run(module)
    for op in [*kept, before]:
        with pytest.raises(ValueError, match="gone"):
            _ = op.name
    assert module.operation.name == "builtin.module"


def test_failing_pass_has_diagnostics(context):
    module = Module.parse("func.func @f() { return }")

    def break_it(op: Operation) -> None:
        SymbolTable(op)["f"].regions[0].blocks[0].terminator.erase()  # type: ignore[union-attr]

    pm = PassManager()
    pm.add(break_it)
    with pytest.raises(MLIRError) as error:
        pm.run(module)
    assert error.value.diagnostics[0].severity == "error"
    quiet = PassManager()
    quiet.enable_verifier(False)
    quiet.add(lambda op: None, "nothing")
    quiet.run(module)


def test_wrong_anchor(context):
    module = Module.parse(DEAD)
    with pytest.raises(ValueError, match=r"for func\.func"):
        PassManager("func.func").run(module)
    PassManager("func.func").run(SymbolTable(module)["main"])


def test_other_threads_run_meanwhile(context):
    module = Module.parse(DEAD)
    ticks = 0
    stop = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not stop.is_set():
            ticks += 1
            time.sleep(0.001)

    text = (
        "func.func @main() {\n" + "\n".join(f"  %c{i} = arith.constant {i} : i32" for i in range(20000)) + "\nreturn }"
    )
    module = Module.parse(text)
    thread = threading.Thread(target=tick)
    pm = PassManager.parse("builtin.module(cse,canonicalize,cse)")
    thread.start()
    during = 0
    for _ in range(50):
        copy = module.clone()
        before = ticks
        pm.run(copy)
        during += ticks - before
        if during:
            break
    stop.set()
    thread.join()
    assert during > 0


def test_cycles_are_collected(context):
    class Owner:
        def __init__(self) -> None:
            self.pm = PassManager()
            self.pm.add(self.run)

        def run(self, op: Operation) -> None:
            pass

    owner = Owner()
    alive = weakref.ref(owner)
    owner.pm.run(Module.parse(DEAD))
    del owner
    gc.collect()
    assert alive() is None
