"""Devices by name with their options, and devices written in Python."""

from __future__ import annotations

import json
import struct
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import acc
import handmade
from acc import container, devices
from acc.cli import main
from acc.container import Program, ProgramBuffer, read_model, write_model
from acc.errors import CompileError, ModelFileError, RunError
from acc.executable import Executable, load
from acc.hardware import simulator
from acc.hardware.package import Circuit
from handmade import A, X

# --- options ---


def cycles(model: Executable) -> int:
    model.run({"x": X, "a": A})
    return model.statistics["cycles"]


def test_two_sessions_do_not_meet(vta: Path) -> None:
    near, far = (load(vta, device=acc.Device("csim", latency=latency)) for latency in (10, 500))
    plain = load(vta, device="csim")
    first = cycles(near), cycles(far), cycles(plain)
    assert first[0] < first[2] < first[1]
    assert (cycles(near), cycles(far), cycles(plain)) == first
    assert cycles(load(vta, device="csim:latency=500")) == first[1]
    assert cycles(load(vta, device=["vta/csim:latency=10"])) == first[0]


def test_the_circuit_has_options(vta: Path) -> None:
    found = [cycles(load(vta, device=acc.Device("tsim", latency=latency, optimize=0))) for latency in (10, 110)]
    assert found == [cycles(load(vta, device=acc.Device("csim", latency=latency))) for latency in (10, 110)]
    assert found[0] < found[1]


def test_options_choose_the_circuit_that_is_built(vta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def build(config: Any, circuit: Circuit, *, trace: bool, optimize: int | None) -> Path:
        built.append((circuit, trace, optimize))
        return Path("nowhere.so")

    monkeypatch.setattr(simulator, "build", build)
    for options in ("", ":mem_width=128,log_queue=3,dsp_blocks=7,optimize=1,latency=5", ":dsp_blocks=-1"):
        with pytest.raises(RunError, match=r"cannot load the simulator of the circuit: nowhere\.so"):
            load(vta, device=f"tsim{options}")
    assert built == [
        (Circuit(), False, None),
        (Circuit(128, log_queue=3, dsp_blocks=7), False, 1),
        (Circuit(), False, None),
    ]


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("csim:latncy=3", "device 'csim' has no option 'latncy': it has latency, mem_width, "),
        ("csim:latency=-1", "option 'latency' of device 'csim' is -1, but must be a number from 0 to 1048576"),
        ("csim:latency=", "option 'latency' of device 'csim' is empty"),
        ("csim:latency=3,latency=4", "option 'latency' is there twice"),
        ("csim:", "an option is missing"),
        ("csim:latency", "option 'latency' has no value"),
        (":latency=3", "the name is missing"),
        ("", "the device has no name"),
        ("csim:mem_width=96", "the memory port is 96 bits wide"),
        ("csim:log_outstanding=4,log_max_burst=6", "must exceed log_max_burst"),
        ("csim:latency=x;jitter=1", "unknown device|must be a number"),
        ("fsim;csim", "two devices are asked for 'vta': 'fsim' and 'csim'"),
        ("counting/fsim", "unknown device 'counting/fsim': available are "),
        ("fsim:kernel=abacus", "the GEMM kernel 'abacus' cannot run on this machine"),
        ("tsim:model=x.so", "device 'tsim' has no option 'model': it has latency, jitter"),
        (3, "a device is a name or an acc.Device, not int"),
    ],
)
def test_mistakes(vta: Path, device: Any, message: str) -> None:
    with pytest.raises(RunError, match=message):
        load(vta, device=device)


def test_mistakes_count_without_programs_too(cpu: Path) -> None:
    for device in ("abacus", "csim:speed=1", "tsim:optimize=9"):
        with pytest.raises(RunError):
            load(cpu, device=device)
    assert load(cpu, device="tsim:latency=3").run({"x": X})


def test_specs_are_text_and_back() -> None:
    spec = acc.Device("tsim", trace="a;b,c=d\\e:f/g", latency=3, jitter=None)
    assert devices.DeviceSpec.parse(str(spec)) == (acc.Device("tsim", trace=spec.options["trace"], latency=3),)
    assert "timed" in spec.capabilities and "sanitizer" not in spec.capabilities
    assert acc.Device("csim", functional=True) == acc.Device("csim", functional=1)


def test_run_command(vta: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "x.npz", x=X, a=A)
    command = ["run", str(vta), "--input", f"{tmp_path}/x.npz", "--json"]
    found = []
    for options in (["--device", "csim", "--latency", "0xc8"], ["--device", "csim:latency=200"], ["--device", "csim"]):
        assert main([*command, *options]) == 0
        found.append(json.loads(capsys.readouterr().out)["statistics"]["cycles"])
    assert found[0] == found[1] > found[2]
    for options in (["--latency", "200"], ["--device", "csim", "--jitter", "2"], ["--device", "csim:speed=2"]):
        assert main([*command, *options]) == 2
        said = capsys.readouterr().err
        assert "has no option" in said and "it has " in said and said.count("\n") == 1


def test_kinds_say_what_they_can() -> None:
    kinds = {kind.name: kind for kind in devices.kinds("vta")}
    assert next(iter(kinds)) == "fsim"
    assert {name for name, kind in kinds.items() if devices.TIMED in kind.capabilities} == {"csim", "tsim"}
    assert {"latency", "mem_width", "jitter", "trace"} <= {option.name for option in kinds["tsim"].options}
    assert "model" not in {option.name for option in kinds["tsim"].options}


# --- devices written in Python ---


class Adder:
    """Programs are numbers: adds one to the first buffer, into the second."""

    made = 0

    def __init__(self, scale: int = 1, label: str = "", strict: bool = False) -> None:
        assert type(scale) is int and type(label) is str and type(strict) is bool
        Adder.made += 1
        self.scale, self.label, self.strict = scale, label, strict
        self.loaded: list[int] = []

    def load(self, data: bytes) -> int:
        (number,) = struct.unpack("<i", data)
        self.loaded.append(number)
        return number

    def run(self, program: int, buffers: list[np.ndarray], options: Mapping[str, bool]) -> Mapping[str, Any]:
        given, made = buffers
        assert set(options) == {"sanitize", "events"}
        assert given.shape == (2, 16) and given.dtype == np.int32 and not given.flags.writeable
        assert made.shape == (2, 16) and made.dtype == np.int8
        made[:] = (given + program) * self.scale
        return {"cycles": 7, "steps": {"add": given.size}, "launches": 1}


BUFFERS = (ProgramBuffer("a", "int32", (2, 16), written=False), ProgramBuffer("q", "int8", (2, 16)))


@pytest.fixture
def counting() -> Iterator[None]:
    devices.register("counting", "adder", Adder, ["timed"], summary="adds")
    yield


def contents(program: Program | None = None, *defines: str) -> Any:
    return handmade.contents(
        "LAUNCH", *defines, programs=[program or Program("counting", struct.pack("<i", 3), BUFFERS)]
    )


def test_a_device_in_python(counting: None, tmp_path: Path) -> None:
    write_model(tmp_path / "m.so", contents())
    assert read_model(tmp_path / "m.so").programs == (Program("counting", struct.pack("<i", 3), BUFFERS),)
    exe = load(tmp_path / "m.so")
    for _ in range(2):
        np.testing.assert_array_equal(exe.run({"x": X, "a": A})["q"], (A + 3).astype(np.int8))
    statistics = exe.statistics
    assert statistics["device"] == "adder" and statistics["cycles"] == 7
    (program,) = statistics["programs"]
    assert program["instruction_set"] == "counting" and program["total"] == {"steps": {"add": 32}, "launches": 1}
    scaled = load(tmp_path / "m.so", device=acc.Device("adder", scale=-2, label="x;y", strict=True))
    np.testing.assert_array_equal(scaled.run({"x": X, "a": A})["q"], (-2 * (A + 3)).astype(np.int8))
    assert cycles(load(tmp_path / "m.so", device="counting/adder:scale=5")) == 7


def test_python_sees_launches(counting: None, tmp_path: Path) -> None:
    seen: list[Any] = []
    write_model(tmp_path / "m.so", contents())
    exe = Executable(tmp_path / "m.so", on_launch=lambda *about: seen.append(about))
    exe.run({"x": X, "a": A})
    (number, after, before), (_, _, buffers) = seen
    assert number == 0 and not after and before[0] == A.tobytes() == buffers[0]
    assert buffers[1] == (A + 3).astype(np.int8).tobytes()


def test_several_instruction_sets(counting: None, tmp_path: Path) -> None:
    """A model that uses two devices in one run, each made once, with its own options."""
    both = [handmade.contents("LAUNCH").programs[0], Program("counting", struct.pack("<i", 3), BUFFERS)]
    for number, expected in enumerate([(np.maximum(A, 0) + 3).astype(np.int8), (A + 3).astype(np.int8)]):
        made = Adder.made
        write_model(tmp_path / "m.so", handmade.contents("LAUNCH", f"PROGRAM={number}", programs=both))
        for device in (None, "csim:latency=99", "csim;adder:scale=1", [acc.Device("adder"), "vta/csim"]):
            exe = load(tmp_path / "m.so", device=device)
            np.testing.assert_array_equal(exe.run({"x": X, "a": A})["q"], expected)
        assert Adder.made == made + 4
        assert exe.statistics["device"] == "csim, adder"
        assert [program["launches"] for program in exe.statistics["programs"]] == [1 - number, number]


@pytest.mark.parametrize("number", [0, 1])
def test_wrong_number_of_buffers(counting: None, number: int) -> None:
    exe = Executable.from_contents(contents(None, f"COUNT={number}"))
    with pytest.raises(RunError, match=rf"program 0 is launched with {number} buffers instead of 2"):
        exe.run({"x": X, "a": A})


def test_exceptions_name_the_kernel(counting: None) -> None:
    class Failing(Adder):
        def run(self, program: int, buffers: list[np.ndarray], options: Mapping[str, bool]) -> Mapping[str, Any]:
            if program == 1:
                raise ZeroDivisionError
            if program == 2:
                buffers[0][0, 0] = 1
            if program == 3:
                return {"steps": "many"}
            if program == 4:
                raise RunError("the counting is broken")
            raise KeyboardInterrupt

    devices.register("counting", "failing", Failing)
    kernel = r"kernel 'Relu_1 \+ Add_2': accelerator program 0: device 'failing' raised "
    for number, message in enumerate(
        [
            "ZeroDivisionError$",
            "ValueError: assignment destination is read-only",
            "ValueError: ",
            "the counting is broken",
        ],
        1,
    ):
        program = Program("counting", struct.pack("<i", number), BUFFERS)
        exe = Executable.from_contents(contents(program), device="failing")
        for _ in range(2):
            with pytest.raises(RunError, match=kernel + message) as caught:
                exe.run({"x": X, "a": A})
            assert isinstance(caught.value.__cause__, Exception)
    exe = Executable.from_contents(contents(Program("counting", struct.pack("<i", 5), BUFFERS)), device="failing")
    with pytest.raises(KeyboardInterrupt):
        exe.run({"x": X, "a": A})


def test_an_exception_keeps_no_view_of_buffers(counting: None) -> None:
    class Chained(Adder):
        def run(self, program: Any, buffers: list[np.ndarray], options: Any) -> Any:
            first = buffers[0]
            try:
                raise ValueError(first.shape)
            except ValueError as error:
                raise TypeError("chained") from error

    devices.register("counting", "chained", Chained)
    exe = Executable.from_contents(contents(), device="chained")
    with pytest.raises(RunError) as caught:
        exe.run({"x": X, "a": A})
    error: BaseException | None = caught.value.__cause__
    assert isinstance(error, TypeError) and isinstance(error.__cause__, ValueError)
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            values = [v for value in frame.f_locals.values() for v in (value if isinstance(value, list) else [value])]
            assert not any(isinstance(value, np.ndarray | memoryview) for value in values)
        error = error.__cause__


def test_programs_that_are_none(counting: None) -> None:
    with pytest.raises(
        ModelFileError, match=r"program 0 of '.*' cannot be loaded by device 'adder': error: unpack"
    ) as e:
        Executable.from_contents(contents(Program("counting", b"xyz", BUFFERS)))
    assert isinstance(e.value.__cause__, struct.error)


def test_devices_that_cannot_be_made(counting: None) -> None:
    def broken(file: str) -> Adder:
        raise FileNotFoundError(2, "No such file", file)

    devices.register("counting", "broken", broken)
    with pytest.raises(RunError, match=r"device 'broken' cannot be made: FileNotFoundError: .*'x'"):
        Executable.from_contents(contents(), device="broken:file=x")
    with pytest.raises(RunError, match="device 'broken' cannot be made: TypeError"):
        Executable.from_contents(contents(), device="broken")
    with pytest.raises(RunError, match="device 'adder' has no option 'speed': it has scale, label and strict"):
        acc.Device("adder", speed=3)
    with pytest.raises(RunError, match="option 'strict' of device 'adder' is 2"):
        acc.Device("adder", strict=2)


def test_the_wrong_device(counting: None, vta: Path) -> None:
    with pytest.raises(
        RunError, match=r"device 'csim' executes vta, but the programs of '.*' are for counting: available are "
    ):
        Executable.from_contents(contents(), device="csim")
    with pytest.raises(
        RunError, match=r"'adder' executes counting, but .* are for vta: available are fsim, csim and tsim"
    ):
        load(vta, device="adder")
    with pytest.raises(RunError, match=r"device 'adder' has no sanitizer$"):
        Executable.from_contents(contents(), sanitize=True)


def test_an_instruction_set_without_a_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_model(tmp_path / "m.so", contents(Program("abacus", b"", BUFFERS)))
    message = (
        r"has programs for the instruction set 'abacus', which no device here executes: available are fsim, csim and"
    )
    with pytest.raises(RunError, match=message):
        load(tmp_path / "m.so")
    np.savez(tmp_path / "x.npz", x=X, a=A)
    assert main(["run", f"{tmp_path}/m.so", "--input", f"{tmp_path}/x.npz"]) == 2
    assert "instruction set 'abacus'" in capsys.readouterr().err


def test_devices_of_other_packages_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a target of theirs registers its devices; one that fails is named, and does not hinder the others."""
    from acc import targets

    def find(name: str) -> object:
        if name == "broken":
            raise CompileError("target 'broken' cannot be loaded: ImportError: no toys")
        devices.register("late", "comer", Adder)
        return object()

    monkeypatch.setattr(targets, "find", find)
    monkeypatch.setattr(targets, "others", lambda: ("broken",))
    write_model(tmp_path / "m.so", contents(Program("late", struct.pack("<i", 3), BUFFERS)))
    for action in (lambda: load(tmp_path / "m.so"), lambda: acc.Device("comer")):
        with pytest.raises(RunError, match=r"available are .*\(target 'broken' cannot be loaded: .*toys\)"):
            action()
    monkeypatch.setattr(targets, "others", lambda: ("broken", "late"))
    exe = load(tmp_path / "m.so")
    np.testing.assert_array_equal(exe.run({"x": X, "a": A})["q"], (A + 3).astype(np.int8))


def test_files_of_before_there_were_instruction_sets(vta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dumps(document: Any, **options: Any) -> str:
        for program in document["programs"]:
            del program["instruction_set"]
        return json.dumps(document, **options)

    monkeypatch.setattr(container, "json", SimpleNamespace(dumps=dumps, loads=json.loads))
    write_model(vta, handmade.contents("LAUNCH"))
    assert "instruction_set" not in read_model(vta).metadata["programs"][0]
    assert read_model(vta).programs == tuple(handmade.contents("LAUNCH").programs)
    np.testing.assert_array_equal(load(vta).run({"x": X, "a": A})["q"], (np.maximum(A, 0) + 3).astype(np.int8))


def test_commands_that_read_programs(tmp_path: Path, counting: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of the VTA say of others that they cannot read them."""
    write_model(tmp_path / "m.so", contents())
    for command in ("disasm", "profile"):
        assert main([command, f"{tmp_path}/m.so"]) == 2
        assert (
            "program 0 of" in (said := capsys.readouterr().err) and "instruction set 'counting', not for 'vta'" in said
        )
    assert main(["info", f"{tmp_path}/m.so"]) == 0


def test_names_are_names() -> None:
    for instruction_set, name in (("a/b", "c"), ("a", "b:c"), ("", "c")):
        with pytest.raises(RunError, match="cannot name"):
            devices.register(instruction_set, name, Adder)


@pytest.mark.parametrize(
    ("buffer", "message"),
    [
        ({"dtype": "int32", "shape": [1]}, "'name' is not a text"),
        ({"name": "a", "dtype": "int33", "shape": [1]}, "unknown dtype 'int33'"),
        ({"name": "a", "dtype": "int32", "shape": ["n"]}, "buffer 'a' of a program has no fixed size"),
        ({"name": "a", "dtype": "int32", "shape": [-1]}, "not a size"),
        ({"name": "a", "dtype": "int32", "shape": [1], "written": "no"}, "'written' is neither true nor false"),
    ],
)
def test_malformed_buffers(counting: None, tmp_path: Path, buffer: dict[str, Any], message: str) -> None:
    entry: Any = SimpleNamespace(to_dict=lambda: buffer)
    write_model(tmp_path / "m.so", contents(Program("counting", b"1234", (entry,))))
    with pytest.raises(ModelFileError, match=message):
        load(tmp_path / "m.so")


def test_threads_share_a_device_in_python(counting: None, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    exe = Executable.from_contents(contents())
    with ThreadPoolExecutor(4) as pool:
        for made in pool.map(lambda i: exe.run({"x": X, "a": A + i})["q"] - i, range(40)):
            np.testing.assert_array_equal(made.astype(np.int8), (A + 3).astype(np.int8))


def test_statistics_can_be_asked_for_during_a_run() -> None:
    """The device needs Python to go on while somebody else, who has it, waits for the model."""
    from threading import Event, Thread

    started = Event()

    class Slow(Adder):
        def run(self, program: int, buffers: list[np.ndarray], options: Mapping[str, bool]) -> Mapping[str, Any]:
            started.set()
            time.sleep(0.05)
            return super().run(program, buffers, options)

    devices.register("counting", "slow", Slow, "timed")
    exe = Executable.from_contents(contents(), device="slow")
    runner = Thread(target=lambda: exe.run({"x": X, "a": A}))
    runner.start()
    started.wait()
    assert exe.statistics["programs"][0]["launches"] == 1
    runner.join()
