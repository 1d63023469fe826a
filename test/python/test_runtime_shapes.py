"""The C interface of models whose sizes are given at run time."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

import acc
from float_networks import FloatNetwork
from native_te import compile_te
from test_native_dynamic import TEXT

OK, ERROR_ARGUMENT, ERROR_RUN = 0, 4, 7


class TensorInfo(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_int),
        ("rank", ctypes.c_int32),
        ("dims", ctypes.POINTER(ctypes.c_int64)),
        ("bytes", ctypes.c_size_t),
    )


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    lib = ctypes.CDLL(str(Path(acc.__file__).parent / "_lib" / "libacc_runtime.so"))
    lib.acc_last_error.restype = ctypes.c_char_p
    lib.acc_model_input_symbol.restype = ctypes.c_char_p
    lib.acc_model_output_symbol.restype = ctypes.c_char_p
    lib.acc_model_input_data.restype = ctypes.c_void_p
    lib.acc_model_output_data.restype = ctypes.c_void_p
    return lib


def test_sizes_are_given_and_asked_for(library: ctypes.CDLL, tmp_path: Path) -> None:
    path = tmp_path / "model.so"
    compile_te(TEXT).save(path)
    model = ctypes.c_void_p()
    assert library.acc_model_load(str(path).encode(), None, ctypes.byref(model)) == OK
    info = TensorInfo()
    assert library.acc_model_input(model, 1, ctypes.byref(info)) == OK
    assert (list(info.dims[:2]), info.bytes) == ([-1, 4], 0)
    assert library.acc_model_input_symbol(model, 1, 0) == b"batch"
    assert library.acc_model_input_symbol(model, 1, 1) is None
    assert library.acc_model_output_symbol(model, 0, 1) == b"n"
    assert library.acc_model_input_data(model, 0) is None

    x, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((2, 4), np.float32)
    inputs = (ctypes.c_void_p * 2)(x.ctypes.data, y.ctypes.data)
    assert library.acc_model_run(model, inputs, None) == ERROR_ARGUMENT
    assert b"needs sizes: run it with acc_model_run_shapes" in library.acc_last_error()

    def run(first: tuple[int, int], second: tuple[int, int]) -> int:
        sizes = [(ctypes.c_int64 * 2)(*first), (ctypes.c_int64 * 2)(*second)]
        dims = (ctypes.POINTER(ctypes.c_int64) * 2)(*(ctypes.cast(s, ctypes.POINTER(ctypes.c_int64)) for s in sizes))
        return library.acc_model_run_shapes(model, inputs, dims, None, None)

    assert run((2, 3), (2, 4)) == OK
    assert library.acc_model_result(model, 1, ctypes.byref(info)) == OK
    assert (list(info.dims[:1]), info.bytes) == ([6], 24)
    data = ctypes.cast(library.acc_model_output_data(model, 1), ctypes.POINTER(ctypes.c_float))
    np.testing.assert_allclose(data[:6], (2 * x + x.sum(0)).reshape(-1))
    for first, second in (((2, 3), (1, 4)), ((-1, 3), (-1, 4)), ((1 << 50, 1), (1 << 50, 4)), ((2, 3), (2, 5))):
        assert run(first, second) == ERROR_ARGUMENT
    assert run((2, 1), (2, 4)) == ERROR_RUN and library.acc_last_error() == b"batch must not exceed n"
    library.acc_model_free(model)


@pytest.mark.parametrize("place", ["apart", "odd", "on the input", "across the input", "own"])
def test_memory_of_the_caller(library: ctypes.CDLL, tmp_path: Path, place: str) -> None:
    """Native code works in memory of the caller where it can; where that lies makes no difference to the results."""
    network = FloatNetwork((3, 32))
    one = network.constant(np.ones(32, np.float32))
    results = network.add("Softmax", [network.add("Add", ["x", one])]), network.add("Identity", ["x"])
    path = tmp_path / "model.so"
    acc.compile(network.build(*results)).save(path)
    model = ctypes.c_void_p()
    assert library.acc_model_load(str(path).encode(), None, ctypes.byref(model)) == OK
    memory = np.zeros(4096, np.uint8)
    start = -memory.ctypes.data % 64
    x = np.random.default_rng(0).normal(0, 1, (3, 32)).astype(np.float32)
    bytes_ = x.nbytes

    def at(offset: int) -> np.ndarray:
        return memory[start + offset : start + offset + bytes_].view(np.float32).reshape(3, 32)

    offset = {"apart": 1024, "odd": 1028, "on the input": 0, "across the input": 64 * 3, "own": 1024}[place]
    at(0)[...] = x
    inputs = (ctypes.c_void_p * 1)(at(0).ctypes.data)
    second = at(2048)
    outputs = (ctypes.c_void_p * 2)(None if place == "own" else at(offset).ctypes.data, second.ctypes.data)
    assert library.acc_model_run(model, inputs, outputs) == OK
    info = TensorInfo()
    assert library.acc_model_result(model, 0, ctypes.byref(info)) == OK and info.bytes == bytes_
    data = library.acc_model_output_data(model, 0)
    found = np.ctypeslib.as_array(ctypes.cast(data, ctypes.POINTER(ctypes.c_float)), (3, 32))
    exponents = np.exp(x + 1)
    np.testing.assert_allclose(found, exponents / exponents.sum(1, keepdims=True), rtol=1e-5)
    if place != "own":
        np.testing.assert_array_equal(at(offset), found)
    np.testing.assert_array_equal(second, x)
    library.acc_model_free(model)
