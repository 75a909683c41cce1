"""The file format: a zip, not compressed, of a JSON text and NumPy arrays, and nothing to run.

``skdense.json`` comes first and begins with the number of the format; ``arrays/0.npy`` and so
on follow. Any zip tool opens such a file, and ``numpy.load`` reads the arrays.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .upgrades import FORMAT, upgrade

Array = NDArray[Any]

_DOCUMENT = "skdense.json"
# Booleans, numbers, texts and times: what no object is in.
_KINDS = "biufUMm"
_LONGEST_HEADER = 1_000
_DATE = (1980, 1, 1, 0, 0, 0)  # the same for equal contents


class DamagedFileError(ValueError):
    """A file is not as it was written."""


def write(path: Path, document: dict[str, Any], arrays: list[Array]) -> None:
    """Write a file, or leave the old one if that fails at any point.

    Parameters
    ----------
    path : Path
    document : dict
        What JSON holds.
    arrays : list of ndarray
    """
    text = json.dumps({"format": FORMAT} | document, indent=1)
    with _replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_DOCUMENT, _DATE), text)
        for number, array in enumerate(arrays):
            with archive.open(zipfile.ZipInfo(_name_array(number), _DATE), "w") as member:
                npy.write_array(member, array, allow_pickle=False)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside a path, which takes its place at once when all is on disk."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, Any], list[Array]]:
    """Read a file; returns its document and arrays.

    Nothing is written, run, or made larger than the file.

    Raises
    ------
    DamagedFileError
        If it is no such file, or not whole, or of a newer format.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                size = os.fstat(file.fileno()).st_size
                return _read_contents(archive, size)
        except DamagedFileError:
            raise
        # zipfile, json and NumPy, which parses Python text, say what makes no sense to them by
        # exceptions of many kinds, of which they document some.
        except Exception as error:
            raise DamagedFileError(f"{type(error).__name__}: {error}") from error


def _read_contents(archive: zipfile.ZipFile, size: int) -> tuple[dict[str, Any], list[Array]]:
    members = archive.infolist()
    if any(m.compress_type != zipfile.ZIP_STORED or m.flag_bits & 1 for m in members):
        raise DamagedFileError("it is compressed or encrypted")
    if sum(member.file_size for member in members) > size:
        raise DamagedFileError("its parts are larger than the file")
    names = [member.filename for member in members]
    if names != [_DOCUMENT, *map(_name_array, range(len(members) - 1))]:
        raise DamagedFileError(f"its parts are not {_DOCUMENT} and numbered arrays")
    document = json.loads(archive.read(members[0]))
    _require_known_format(document)
    return upgrade(document), [_read_array(archive.read(member)) for member in members[1:]]


def _name_array(number: int) -> str:
    return f"arrays/{number}.npy"


def _require_known_format(document: Any) -> None:
    number = document.get("format") if isinstance(document, dict) else None
    if type(number) is not int or number < 1:
        raise DamagedFileError("it does not tell the number of its format")
    if number > FORMAT:
        raise DamagedFileError(
            f"it is of format {number}, and this release reads up to {FORMAT}; upgrade skdense"
        )


def _read_array(content: bytes) -> Array:
    """Read an array whose header may claim anything; nothing is allocated by what it claims."""
    stream = io.BytesIO(content)
    if npy.read_magic(stream) != (1, 0):
        raise DamagedFileError("an array is of an unknown version")
    shape, by_columns, dtype = npy.read_array_header_1_0(stream, max_header_size=_LONGEST_HEADER)
    if dtype.kind not in _KINDS or dtype.hasobject or dtype.shape:
        raise DamagedFileError(f"an array is of {dtype}")
    if (
        min(shape, default=0) < 0
        or math.prod(shape) * dtype.itemsize != len(content) - stream.tell()
    ):
        raise DamagedFileError("an array is not as long as it says")
    flat = np.frombuffer(content, dtype, offset=stream.tell())
    if dtype.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
        raise DamagedFileError("a boolean is neither true nor false")
    return flat.reshape(shape, order="F" if by_columns else "C").copy()
