# SPDX-License-Identifier: Apache-2.0
"""Reads and writes .safetensors files with NumPy, as far as the platform knows them."""
import json
import os
import pathlib
import struct

import numpy

__all__ = ["load", "save"]

TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "U8": "|u1", "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8"}
NAMES = {numpy.dtype(code): name for name, code in TYPES.items()}


def load(path):
    """The tensors of a file: names -> arrays, in the order of the file."""
    data = pathlib.Path(path).read_bytes()
    try:
        (size,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8:8 + size].decode())
        tensors = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            if entry["dtype"] not in TYPES:
                raise ValueError(f"tensor '{name}' is of type {entry['dtype']}, expected one of {', '.join(TYPES)}")
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            tensors[name] = numpy.frombuffer(data[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
        return tensors
    except (struct.error, UnicodeDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: no sound safetensors file: {error}") from error


def save(tensors, path):
    """Writes names -> arrays. The file is there whole or not at all."""
    header, parts, end = {}, [], 0
    for name, tensor in tensors.items():
        kind = numpy.asarray(tensor).dtype.newbyteorder("<")
        if kind not in NAMES:
            raise ValueError(f"tensor '{name}' is of type {kind}, expected one of {', '.join(map(str, NAMES))}")
        raw = numpy.ascontiguousarray(tensor, kind).tobytes()
        header[name] = {"dtype": NAMES[kind], "shape": list(numpy.shape(tensor)), "data_offsets": [end, end + len(raw)]}
        parts.append(raw)
        end += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(path)
    unfinished = path.with_name(path.name + f".{os.getpid()}.part")
    try:
        unfinished.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
