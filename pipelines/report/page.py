"""The document around the figures: one HTML file with its style and its script inside, which needs no network.

Without the script it reads the same; the script adds values under the pointer and tables that sort.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pipelines.report import svg
from pipelines.report.svg import Figure, Key

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cell:
    """A table's cell: its text, and the number that it sorts by."""

    text: str
    number: float | None = None
    is_number: bool = True


def plain(text: str) -> str:
    """Return plain text as HTML; a line never ends within a date."""
    return re.sub(r"\d{4}-\d\d-\d\d", r"<time>\g<0></time>", escape(text))


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text."""
    return f"<p{_class(kind)}>{plain(text)}</p>"


def bullets(texts: Iterable[str]) -> str:
    """Return a list of plain texts."""
    return f"<ul>{''.join(f'<li>{plain(text)}</li>' for text in texts)}</ul>"


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of terms, each with its plain text beside it."""
    return "<dl>" + "".join(f"<dt>{plain(term)}</dt><dd>{plain(text)}</dd>" for term, text in pairs) + "</dl>"


def section(name: str, title: str, *parts: str) -> str:
    """Return a part of the document under a heading."""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{"".join(parts)}</section>'


def details(title: str, body: str) -> str:
    """Return what is shown on demand only."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def figure(one: Figure, *, legend: bool = True) -> str:
    """Return a figure with its legend, and its numbers on demand."""
    plot = one.plot
    facts = "".join(f' data-{name}="{value}"' for name, value in plot.facts.items())
    return (
        f"<figure><figcaption>{escape(one.title)}</figcaption>"
        f"{keys(one.keys) if legend and one.keys else ''}"
        f'<div class="plot" style="padding:{plot.top}px 14px {plot.bottom}px {plot.left}px"{facts}>'
        f'<svg role="img" aria-label="{escape(plot.label)}" height="{plot.height}">{plot.body}</svg></div>'
        f"{_numbers(one)}</figure>"
    )


def figures(several: Sequence[Figure], *, legend: bool = True) -> str:
    """Return small figures side by side, as many as there is room for."""
    return f'<div class="several">{"".join(figure(one, legend=legend) for one in several)}</div>'


def keys(entries: Iterable[Key]) -> str:
    """Return a legend."""
    return '<ul class="keys">' + "".join(_key(entry) for entry in entries) + "</ul>"


def _key(entry: Key) -> str:
    return (
        f'<li><svg width="26" height="12" aria-hidden="true">{svg.swatch(entry.look)}</svg>{escape(entry.label)}</li>'
    )


def _numbers(one: Figure) -> str:
    if not one.rows:
        return ""
    rows = [[Cell(text, is_number=place > 0) for place, text in enumerate(row)] for row in one.rows]
    return details("Numbers", table(one.header, rows, name=f"Numbers of: {one.title}"))


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    name: str,
    marked: Collection[int] = (),
    sortable: bool = False,
) -> str:
    """Return a table in a box of its own, within which it scrolls if too wide for the page; rows may be marked."""
    rows = [*rows]
    body = "".join(
        f"<tr{_class('marked' if number in marked else '')}>{''.join(map(_cell, row, range(len(row))))}</tr>"
        for number, row in enumerate(rows)
    )
    # A column's name is on the side of what is below it.
    sides = [_class("n" if rows and rows[0][place].is_number else "") for place in range(len(header))]
    head = "".join(f'<th scope="col"{side}>{escape(column)}</th>' for column, side in zip(header, sides, strict=True))
    # A box that scrolls must be reachable by keyboard.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"<table{_class('sortable' if sortable else '')}><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell, place: int) -> str:
    value = f' data-v="{cell.number!r}"' if cell.number is not None else ""
    kind = _class("n" if cell.is_number else "")
    tag, scope = ("td", "") if place else ("th", ' scope="row"')
    return f"<{tag}{scope}{kind}{value}>{escape(cell.text)}</{tag}>"


def document(title: str, body: str) -> str:
    """Return the whole file. Its policy forbids every request, so that nothing can creep in."""
    style = (HERE / "report.css").read_text(encoding="utf-8")
    script = (HERE / "report.js").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">\n"
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n'
        f"<style>\n{style}{svg.STYLE}\n</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n<script>\n{script}</script>\n"
        "</body>\n</html>\n"
    )


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
