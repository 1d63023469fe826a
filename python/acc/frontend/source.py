"""Reading ONNX files and the tensors in them.

A model file is untrusted input. Nothing is allocated because a file says so: the sizes it declares are
checked against the bytes that are there, and external data is only read from regular files inside the
folder of the model.
"""

from __future__ import annotations

import math
import mmap
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from acc.dtypes import BY_ONNX
from acc.errors import ModelError
from acc.frontend.problems import Unsupported
from acc.frontend.wire import detach_weights

_MAX_PROTOBUF = 2**31 - 1

# The field of TensorProto that holds elements which are not in raw_data.
_TYPED_FIELDS: dict[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
}


def dtype_name(data_type: int) -> str:
    """ONNX's name of an element type, in lower case; for messages."""
    try:
        return TensorProto.DataType.Name(data_type).lower()  # pyright: ignore[reportArgumentType]
    except ValueError:
        return f"number {data_type}"


def read_dtype(data_type: int) -> np.dtype:
    """The numpy element type, or Unsupported with the reason."""
    if data_type not in BY_ONNX:
        raise Unsupported(f"element type {dtype_name(data_type)} is not supported")
    return BY_ONNX[data_type].dtype


@dataclass(frozen=True)
class Storage:
    """Where the bytes of tensors are that the model itself does not hold.

    Attributes:
        folder: the folder of the model's file, which external data lies in; None if it was not read from a file.
        detached: raw data of initializers, by name, that was left in the file.
    """

    folder: Path | None = None
    detached: Mapping[str, memoryview] = field(default_factory=dict)


def load_model(path: str | os.PathLike[str]) -> tuple[onnx.ModelProto, Storage]:
    """Parses a model file, without the data of its large tensors.

    Raises ModelError if the file is missing, empty, too large, or not an ONNX model.
    """
    file = Path(path)
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{file}: not a file")
        if status.st_size == 0:
            raise ModelError(f"{file}: the file is empty")
        if status.st_size > _MAX_PROTOBUF:
            raise ModelError(f"{file}: larger than 2 GiB; store the weights as external data")
        with file.open("rb") as stream:
            data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(f"{file}: cannot be read: {reason}") from error
    model = onnx.ModelProto()
    try:
        rest, detached = detach_weights(data)
    except ValueError:
        rest, detached = bytes(data), {}
    try:
        model.ParseFromString(rest)
    except DecodeError as error:
        raise ModelError(f"{file}: not an ONNX model, or a truncated one") from error
    if not model.HasField("graph") or model.ir_version < 1:
        raise ModelError(f"{file}: not an ONNX model: it has no graph")
    return model, Storage(file.parent, detached)


def read_tensor(tensor: TensorProto, storage: Storage) -> np.ndarray:
    """The elements of a tensor, read-only where they are bytes of a file or of the model.

    Raises Unsupported if the element type is not supported or data is missing or of the wrong size.
    """
    dtype = read_dtype(tensor.data_type)
    if any(size < 0 for size in tensor.dims):
        raise Unsupported(f"has a negative size in its shape {list(tensor.dims)}")
    if tensor.HasField("segment"):
        raise Unsupported("is stored in segments")
    bits = BY_ONNX[tensor.data_type].bits
    if bits < 8 and dtype != np.bool_:
        return _read_packed(tensor, storage, bits).view(dtype).reshape(tuple(tensor.dims))
    return _read_elements(tensor, storage, dtype, math.prod(tensor.dims)).reshape(tuple(tensor.dims))


def _read_elements(tensor: TensorProto, storage: Storage, dtype: np.dtype, count: int) -> np.ndarray:
    """The data of a tensor as `count` elements of `dtype`, one after the other."""
    if tensor.data_location == TensorProto.EXTERNAL:
        return _read_external(tensor, storage.folder, dtype, count)
    data = storage.detached.get(tensor.name)
    if data is not None or tensor.HasField("raw_data"):
        data = tensor.raw_data if data is None else data
        _check_count(len(data), count * dtype.itemsize, "bytes", tensor, dtype)
        return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False)
    field = _TYPED_FIELDS.get(tensor.data_type, "int32_data")
    elements = getattr(tensor, field)
    _check_count(len(elements), count, "elements", tensor, dtype)
    if field == "uint64_data":
        return np.array(elements, np.uint64).astype(dtype, copy=False)
    if field != "int32_data" or dtype in (np.int32, np.bool_):
        return np.array(elements, dtype)
    # The low bits are the integer, or the bits of the float.
    return np.array(elements, np.int32).astype(f"u{dtype.itemsize}").view(dtype)


def _read_packed(tensor: TensorProto, storage: Storage, bits: int) -> np.ndarray:
    """Elements of less than a byte, one after the other from the lowest bit on, as one byte each."""
    count = math.prod(tensor.dims)
    raw = tensor.HasField("raw_data") or tensor.name in storage.detached
    if bits == 6 and not raw and tensor.data_location != TensorProto.EXTERNAL:
        return _read_elements(tensor, storage, np.dtype(np.uint8), count) & np.uint8(63)
    data = _read_elements(tensor, storage, np.dtype(np.uint8), -(-count * bits // 8))
    if bits == 6:
        bitwise = np.unpackbits(data, count=count * bits, bitorder="little").reshape(count, bits)
        return np.packbits(bitwise, axis=1, bitorder="little").reshape(count)
    values = np.stack([data >> shift & (1 << bits) - 1 for shift in range(0, 8, bits)], axis=-1)
    return values.reshape(-1)[:count]


def _check_count(given: int, needed: int, unit: str, tensor: TensorProto, dtype: np.dtype) -> None:
    if given != needed:
        raise Unsupported(f"has {given} {unit} but its shape {list(tensor.dims)} of {dtype} needs {needed}")


def _read_external(tensor: TensorProto, folder: Path | None, dtype: np.dtype, count: int) -> np.ndarray:
    if folder is None:
        raise Unsupported("has external data, which is found beside a model file: import the path, not a ModelProto")
    entries = {entry.key: entry.value for entry in tensor.external_data}
    file = confined_path(folder, entries.get("location", ""))
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries["length"]) if entries.get("length") else None
    except ValueError:
        raise Unsupported("has external data with a malformed offset or length") from None
    needed = count * dtype.itemsize
    if length is not None and length != needed:
        _check_count(length, needed, "external bytes", tensor, dtype)
    if offset < 0:
        raise Unsupported("has external data at a negative offset")
    try:
        # The file may have been replaced since it was checked: neither follow a link nor wait for a pipe.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(file, flags)
        with os.fdopen(handle, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unsupported(f"has external data in '{file.name}', which is not a file")
            if offset + needed > status.st_size:
                raise Unsupported(
                    f"needs {needed} bytes at offset {offset} of '{file.name}', which has {status.st_size}"
                )
            if needed == 0:
                return np.zeros(tuple(tensor.dims), dtype)
            mapped = np.memmap(stream, dtype.newbyteorder("<"), "r", offset, (count,))
    except OSError as error:
        raise Unsupported(f"has external data in '{file.name}', which cannot be read: {error.strerror}") from error
    return np.asarray(mapped).astype(dtype, copy=False).reshape(tuple(tensor.dims))


def confined_path(folder: Path, location: str) -> Path:
    """The file `location` inside `folder`; Unsupported if it is not, or leads through a link."""
    parts = PurePosixPath(location.replace("\\", "/")).parts
    if not parts or "\0" in location:
        raise Unsupported("has external data without a location")
    outside = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor or ".." in parts
    if outside:
        raise Unsupported(f"has external data outside of the model's folder: '{location}'")
    file = folder
    for part in parts:
        file = file / part
        if file.is_symlink():
            raise Unsupported(f"has external data behind the symbolic link '{location}'")
    if not file.is_file():
        problem = "not a file" if file.exists() else "missing"
        raise Unsupported(f"has external data in '{location}', which is {problem}")
    return file
