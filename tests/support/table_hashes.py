"""Hashes of rows that survive another file format, compression and record layout, and no change of any value.

Every value of a kind has one form, whatever its width: whole numbers and dates of 64 bits, floats of 64 bits.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

DIGITS = 8
PROBABILITY, DECIMALS = "_probability", 4
# What is this much smaller than the largest of its column is what rounding left of a zero.
NOTHING = 1e-12
# The nearest floats, which `10.0**place` need not give.
TENS = {place: float(f"1e{place}") for place in range(-300, 301)}


def rows_hash(arrays: Iterable[npt.NDArray[np.void]]) -> str:
    """Return the SHA-256 of structured arrays, field by field in the order of their names."""
    digest = hashlib.sha256()
    for rows in arrays:
        digest.update(str(len(rows)).encode())
        for name in sorted(rows.dtype.names or ()):
            digest.update(name.encode() + _numbers(rows[name]))
    return digest.hexdigest()


def column_hashes(table: pa.Table, exact: Iterable[str]) -> dict[str, str]:
    """Return type and hash by column; floats of columns that are not exact are rounded, to 8 significant digits.

    Of probabilities it is the mean alone, to 4 decimals: they hang on where an optimiser stops, which differs from one
    processor to another, and among thousands some always lie where rounding parts.
    """
    exact = frozenset(exact)
    return {name: _column_hash(name, table[name].combine_chunks(), name in exact) for name in table.column_names}


def _column_hash(name: str, column: Any, exact: bool) -> str:
    digest = hashlib.sha256(np.packbits(pc.is_null(column).to_numpy(zero_copy_only=False)).tobytes())
    kind = str(column.type)
    if pa.types.is_floating(column.type) and not exact:
        values = column.fill_null(0.0).to_numpy(zero_copy_only=False)
        if name.endswith(PROBABILITY) and len(values):
            kind += f" of mean {values.mean():.{DECIMALS}f}"
        else:
            kind += f" to {DIGITS} digits"
            digest.update(_numbers(round_digits(values)))
    else:
        digest.update(_content(column))
    return f"{kind} {digest.hexdigest()[:16]}"


def _content(column: Any) -> bytes:
    """Return the values of a column, nulls as a neutral value: zero, or no text."""
    kind = column.type
    if pa.types.is_floating(kind):
        return _numbers(column.fill_null(0.0).to_numpy(zero_copy_only=False))
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return _numbers(column.cast(pa.int64()).fill_null(0).to_numpy())
    if pa.types.is_date(kind):
        return _numbers(column.cast(pa.int32()).cast(pa.int64()).fill_null(0).to_numpy())
    if pa.types.is_string(kind):
        return _texts(column.fill_null(""))
    return repr(column.to_pylist()).encode()


def _texts(column: Any) -> bytes:
    """Return the lengths of texts without a null, in bytes, and then the texts."""
    if not len(column):
        return b""
    _, offsets, texts = column.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset :][: len(column) + 1]
    return _numbers(np.diff(ends)) + (texts.to_pybytes() if texts else b"")[ends[0] : ends[-1]]


def _numbers(values: npt.NDArray[Any]) -> bytes:
    if values.dtype.kind != "f":
        return values.astype("<i8").tobytes()
    return np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes()


def round_digits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round to significant digits, so that the last bits do not count, nor what should have been 0."""
    values = values.copy()
    size = np.abs(values)
    plain = np.isfinite(values) & (size > NOTHING * size[np.isfinite(size)].max(initial=0.0))
    values[np.isfinite(values) & ~plain] = 0.0
    places = DIGITS - 1 - np.floor(np.log10(size[plain])).astype(int)
    scale = np.array([TENS[place] for place in range(-300, 301)])[places + 300]
    values[plain] = np.rint(values[plain] * scale) / scale
    return values
