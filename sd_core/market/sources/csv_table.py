"""A CSV file as text cells, or a refusal that names file and line.

What the cells mean (dates, prices, amounts) belongs in ``csv_files``.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sd_core.errors import InputError
from sd_core.market.sources.validation import shortened

# Bytes. A bar takes some sixty, and what is read many times its own size of memory.
LARGEST_FILE = 100_000_000


def read_table(path: Path, columns: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    """Read some columns of a CSV file as text.

    The file is UTF-8, with or without a byte order mark, with any line ends; its first line names the columns. Blank
    lines are skipped.

    Args:
        path: the file.
        columns: for each column its accepted spellings. Columns not named here are ignored.

    Returns:
        The stripped cells, one row per record, indexed by line number; the columns in the order asked for, under the
        spelling that the file uses. Without rows where the file ends after its header.

    Raises:
        InputError: the file cannot be read, is not UTF-8 text, is empty, lacks a column or has it twice, or has rows of
            another length than its header.
    """
    # The standard library's reader, since it alone reports the line of a record: pandas renames a repeated column and
    # fills up a short row, both silently.
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        records = [(reader.line_num, [cell.strip() for cell in record]) for record in reader if record]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: expected CSV, but: {error}") from None
    if not records:
        raise InputError(f"{path}: the file is empty: expected a header with {_worded(columns)}")
    (_, header), *rows = records
    _refuse_other_separators(path, header)
    places = [_place(path, header, spellings) for spellings in columns]
    ragged = [
        f"{path}: line {line}: {len(cells)} fields: expected {len(header)}, as in the header{_hint(cells, header)}"
        for line, cells in rows
        if len(cells) != len(header)
    ]
    if ragged:
        raise InputError(shortened(ragged, str(path)))
    return pd.DataFrame(
        {header[place]: [cells[place] for _, cells in rows] for place in places},
        index=[line for line, _ in rows],
        dtype=object,
    )


def read_text(path: Path) -> str:
    """Return the text of a CSV file; raises as :func:`read_table` does."""
    try:
        if (size := path.stat().st_size) > LARGEST_FILE:
            raise InputError(f"{path}: {size:,} bytes: expected at most {LARGEST_FILE:,}")
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path.parent}: no file {path.name}: expected it in this folder") from None
    except IsADirectoryError:
        raise InputError(f"{path}: expected a file, but it is a folder") from None
    except OSError as error:
        raise InputError(f"{path}: expected a readable file, but: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
        flaw = text.find("\0")
        if flaw < 0:
            return text
        flaw = len(text[:flaw].encode())
    except UnicodeDecodeError as error:
        flaw = error.start
    line = content.count(b"\n", 0, flaw) + 1
    raise InputError(f"{path}: line {line}: byte 0x{content[flaw]:02x}: expected CSV text in UTF-8")


def _refuse_other_separators(path: Path, header: list[str]) -> None:
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and mark in header[0]:
            raise InputError(
                f"{path}: line 1: {header[0]!r}: its fields are separated by {name}: expected commas (write "
                f"{header[0].replace(mark, ',')}, and numbers with a decimal point)"
            )


def _hint(cells: list[str], header: list[str]) -> str:
    """Ask of a row with more numbers than columns whether a comma is meant to be within a number."""
    numbers = all(cell.lstrip("-").replace(".", "", 1).isdigit() for cell in cells[1:])
    return " (a decimal comma, or one between thousands? write 1234.5)" if numbers and len(cells) > len(header) else ""


def _place(path: Path, header: list[str], spellings: tuple[str, ...]) -> int:
    found = [i for i, name in enumerate(header) if name in spellings]
    wanted = " or ".join(spellings)
    if not found:
        raise InputError(f"{path}: line 1: no column {wanted}: the header has {', '.join(header)}")
    if len(found) > 1:
        raise InputError(f"{path}: line 1: {len(found)} columns {wanted}: expected one")
    return found[0]


def _worded(columns: Sequence[tuple[str, ...]]) -> str:
    return ", ".join(" or ".join(spellings) for spellings in columns)
