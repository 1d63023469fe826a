"""The C interface of models whose sizes are given at run time."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

import acc
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
