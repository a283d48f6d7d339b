"""MATLAB's .mat files of version 5 (what MATLAB saves as -v6 and -v7), as far as weights need them.

SciPy reads more kinds, but a damaged file can crash the process that reads it with SciPy.
"""

import itertools
import math
import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

INTEGERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 12: "i8", 13: "u8"}
NUMBERS = INTEGERS | {7: "f4", 9: "f8"}  # type of an element: NumPy's
MATRIX, COMPRESSED = 14, 15  # types of elements that hold others
CELL, STRUCT, ARRAYS = 1, 2, range(6, 16)  # classes of matrices
LARGEST = 2**30  # bytes of all that is unpacked; MatConvNet's VGG19 has half of that
DENSEST = 1032  # bytes that a byte of zlib's can unpack to
PIECE = 2**24  # bytes that are unpacked at once
MOST_PARTS = 10**5  # cells and fields of a variable; MatConvNet's has some hundreds
LONGEST_NAME = 64  # bytes, as in MATLAB


def read_mat(path: str | os.PathLike) -> dict[str, Any]:
    """The variables of a .mat file by name.

    Arrays are NumPy's; a cell array is a list, column by column; of a structure array the first is
    read, a dictionary. Strings, objects and other things are None.

    Raises:
        ValueError, zlib.error, ...: not such a file, or damaged.
    """
    data = np.memmap(path, np.uint8, "r").data
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[126:128]))
    if order is None or struct.unpack_from(f"{order}H", data, 124) != (0x0100,):
        raise ValueError("not a MATLAB file of version 5; save it with -v7")
    variables, room = {}, LARGEST
    for kind, contents in itertools.islice(_elements(data[128:], order), MOST_PARTS):
        if kind == COMPRESSED:
            kind, contents = _unpack(contents, order, room)
            room -= len(contents)
        if kind == MATRIX:
            name, value = _matrix(contents, order, itertools.count())
            variables[name] = value
    return variables


def _unpack(packed, order, room):
    """(type, contents) of a packed element. Raises ValueError where there is no room for them."""
    stream = zlib.decompressobj()
    tag = stream.decompress(packed, 8)
    kind, length = struct.unpack(f"{order}II", tag)
    if length > min(room, DENSEST * len(packed)):
        raise ValueError("unpacks to more than weights take")
    contents = memoryview(bytearray(length))  # takes memory as it is filled
    packed, place = stream.unconsumed_tail, 0
    while place < length and (piece := stream.decompress(packed, min(PIECE, length - place))):
        contents[place : place + len(piece)] = piece
        packed, place = stream.unconsumed_tail, place + len(piece)
    if place < length:
        raise ValueError("a part is cut off")
    return kind, contents


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """(type, contents) of each of the elements that `data` consists of."""
    place = 0
    while place + 8 <= len(data):
        kind, length = struct.unpack_from(f"{order}II", data, place)
        start, end = place + 8, place + 8 + length
        if kind >> 16:  # a small one, whose contents are in the tag
            kind, length = kind & 0xFFFF, kind >> 16
            start, end = place + 4, place + 8
        if start + length > min(end, len(data)):
            raise ValueError("a part is cut off")
        yield kind, data[start : start + length]
        place = end if kind == COMPRESSED else math.ceil(end / 8) * 8


def _matrix(data, order, parts_so_far):
    """(name, value) of a matrix element's contents; `parts_so_far` counts on within them."""
    if next(parts_so_far) > MOST_PARTS:
        raise ValueError("too many parts")
    if not data:
        return "", None
    parts = _elements(data, order)

    def part():
        return next(parts, (0, b""))

    class_, shape = _numbers(*part(), order)[0] & 0xFF, _numbers(*part(), order)
    name = bytes(part()[1][:LONGEST_NAME]).decode("latin-1")
    if class_ in ARRAYS:
        return name, _numbers(*part(), order).reshape(shape, order="F")
    if class_ == CELL:
        cells = itertools.islice(parts, math.prod(shape.tolist()))
        return name, [_matrix(contents, order, parts_so_far)[1] for _, contents in cells]
    if class_ == STRUCT:
        length, names = int(_numbers(*part(), order)[0]), part()[1]
        starts = range(0, len(names), length)
        fields = (bytes(names[i : i + length][:LONGEST_NAME]) for i in starts)
        return name, {
            field.split(b"\0")[0].decode("latin-1"): _matrix(contents, order, parts_so_far)[1]
            for field, (_, contents) in zip(fields, parts, strict=False)
        }
    return name, None


def _numbers(kind, contents, order):
    """The contents of an element of numbers."""
    if kind not in NUMBERS:
        raise ValueError(f"a part has type {kind} instead of numbers")
    return np.frombuffer(contents, order + NUMBERS[kind])
