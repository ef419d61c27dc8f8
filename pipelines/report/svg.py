"""Drawings in SVG: lines, stacked columns and bars, heat maps and strips of time. No study and no table is known here.

A plot is drawn in percent of whatever room it is given, and its text in pixels: the same drawing suits a phone, a
desktop and paper, and needs no script for it. Its margins belong to the one who places it: the page does so with CSS,
and :func:`drawing` for a file of its own.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby

from pipelines.report.scales import Scale

# From Okabe and Ito's palette for colour-blind readers: those with a contrast of 3 or more against white.
BLACK, BLUE, VERMILLION, GREEN, PURPLE = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE)
DASHES = ("", "8 3", "2 2", "9 3 2 3")

# A line wider than its plot in pixels would only be longer.
SPAN = 1000
TEXT_HEIGHT = 16
LETTER_WIDTH = 6.6

STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#333}"
    ".grid{stroke:#ddd;stroke-width:1}.zero{stroke:#555;stroke-width:1}"
    ".line{fill:none;vector-effect:non-scaling-stroke;stroke-linejoin:round}"
    ".end{text-anchor:end}.mid{text-anchor:middle}.unit{fill:#333;font-style:italic}"
    ".cell text{font-size:11px;fill:#000;text-anchor:middle}"
)


@dataclass(frozen=True)
class Stroke:
    """How a line looks."""

    colour: str
    dash: str = ""
    width: float = 1.6


@dataclass(frozen=True)
class Key:
    """An entry of a legend: a stroke, or the colour of an area."""

    label: str
    look: Stroke | str


@dataclass(frozen=True)
class Line:
    """A line through points in the axes' own values; a y of None interrupts it."""

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    stroke: Stroke


@dataclass(frozen=True)
class Band:
    """The area between two lines."""

    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: str


@dataclass(frozen=True)
class Part:
    """One colour of stacked columns or bars: a value for each of them."""

    label: str
    values: Sequence[float]
    colour: str


@dataclass(frozen=True)
class Span:
    """A stretch of an axis that belongs to one category, which gives it its colour."""

    start: float
    end: float
    label: str
    colour: str


@dataclass(frozen=True)
class Plot:
    """A drawing without its margins.

    Attributes:
        body: SVG elements, placed in percent of the plot.
        height: of the plot, in pixels.
        label: what it shows, for those who do not see it.
        left, top, bottom: margins that its labels need, in pixels.
        facts: attributes for a script that reads values back from the lines.
    """

    body: str
    height: int
    label: str
    left: int = 52
    top: int = 30
    bottom: int = 40
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A plot with the words around it and the numbers behind it.

    Attributes:
        title: what it is, in a few words.
        plot: the drawing.
        keys: its legend.
        header, rows: the numbers as a table, written out; empty where another table has them.
    """

    title: str
    plot: Plot
    keys: tuple[Key, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def lines(
    series: Sequence[Line],
    x: Scale,
    y: Scale,
    *,
    label: str,
    height: int = 300,
    dots: bool = False,
    bands: Sequence[Band] = (),
    kind: str = "ratio",
) -> Plot:
    """Draw lines over bands, with a dot at each point where asked for.

    ``kind`` determines how a script writes values that it reads back: ``ratio`` or ``percent``.
    """
    marks = [_grid(x, y)]
    areas = "".join(f'<path fill="{band.colour}" fill-opacity="0.12" d="{_outline(band, x, y)}"/>' for band in bands)
    paths = areas + "".join(
        f'<path class="line" stroke="{line.stroke.colour}" stroke-width="{line.stroke.width:g}"{_dash(line.stroke)} '
        f'data-label="{escape(line.label)}" d="{_path(line, x, y)}"/>'
        for line in series
    )
    marks.append(f'<svg viewBox="0 0 {SPAN} {SPAN}" preserveAspectRatio="none" overflow="visible">{paths}</svg>')
    if dots:
        marks += [
            f'<circle cx="{_percent(x(one))}" cy="{_percent(1 - y(other))}" r="3.5" fill="{line.stroke.colour}"/>'
            for line in series
            for one, other in zip(line.x, line.y, strict=True)
            if other is not None
        ]
    facts = {
        "x": f"{x.low:.10g} {x.high:.10g}",
        "y": f"{y.low:.10g} {y.high:.10g} {'log' if y.logarithmic else 'linear'} {kind}",
    }
    return Plot("".join(marks), height, label, facts={} if dots else facts)


def _path(line: Line, x: Scale, y: Scale) -> str:
    pieces = []
    points = zip(line.x, line.y, strict=True)
    for known, run in groupby(points, key=lambda point: point[1] is not None):
        if known:
            places = [f"{x(one) * SPAN:.2f} {(1 - y(other)) * SPAN:.2f}" for one, other in run if other is not None]
            # A single point is seen as a dot, by the caps of a line of no length.
            pieces.append("M" + "L".join(places if len(places) > 1 else places * 2))
    return "".join(pieces)


def _outline(band: Band, x: Scale, y: Scale) -> str:
    there = zip(band.x, band.high, strict=True)
    back = zip(reversed(band.x), reversed(band.low), strict=True)
    return "M" + "L".join(f"{x(one) * SPAN:.2f} {(1 - y(other)) * SPAN:.2f}" for one, other in (*there, *back)) + "Z"


def columns(names: Sequence[str], parts: Sequence[Part], y: Scale, *, label: str, unit: str, height: int = 190) -> Plot:
    """Draw stacked columns, those below zero downwards, with a name under as many as there is room for."""
    step = 1 / max(len(names), 1)
    marks = [_values_grid(y)]
    for place, name in enumerate(names):
        ends = {True: 0.0, False: 0.0}
        for part in parts:
            value = part.values[place]
            if value:
                start = ends[value > 0]
                ends[value > 0] = start + value
                top, foot = sorted((1 - y(start), 1 - y(start + value)))
                marks.append(
                    _rectangle(
                        place * step + step * 0.1, top, step * 0.8, foot - top, part.colour, f"{name}: {part.label}"
                    )
                )
    shown = -(-len(names) // 6)
    marks += [
        _text(name, (place + 0.5) * step, 1, dy=TEXT_HEIGHT, anchor="mid")
        for place, name in enumerate(names)
        if place % shown == 0
    ]
    marks += [_zero(y), _text(unit, 0.5, 1, dy=2 * TEXT_HEIGHT, anchor="mid unit")]
    return Plot("".join(marks), height, label)


def bars(names: Sequence[str], parts: Sequence[Part], x: Scale, *, label: str) -> Plot:
    """Draw stacked bars from left to right, those below zero to the left, each with its name beside it."""
    step = 1 / max(len(names), 1)
    marks = [_places_grid(x)]
    for place, name in enumerate(names):
        ends = {True: 0.0, False: 0.0}
        for part in parts:
            value = part.values[place]
            if value:
                start = ends[value > 0]
                ends[value > 0] = start + value
                left, right = sorted((x(start), x(start + value)))
                marks.append(
                    _rectangle(
                        left, (place + 0.15) * step, right - left, step * 0.7, part.colour, f"{name}: {part.label}"
                    )
                )
        marks.append(_text(name, 0, (place + 0.5) * step, dx=-8, dy=4, anchor="end"))
    marks.append(f'<line class="zero" x1="{_percent(x(0))}" x2="{_percent(x(0))}" y1="0" y2="100%"/>')
    left = round(max(map(len, names), default=0) * LETTER_WIDTH * 1.15) + 16
    return Plot("".join(marks), 20 * len(names), label, left=left, top=4)


def heat_map(
    names: Sequence[str], values: Sequence[Sequence[float | None]], *, label: str, write: Callable[[float], str]
) -> Plot:
    """Draw a square of values between -1 and 1: blue below zero, white at zero, vermillion above."""
    step = 1 / max(len(names), 1)
    marks, written = [], []
    for row, (name, row_values) in enumerate(zip(names, values, strict=True)):
        for column, value in enumerate(row_values):
            if value is None:
                continue
            title = f"{name} and {names[column]}: {write(value)}"
            marks.append(_rectangle(column * step, row * step, step, step, tint(value), title))
            x, y = _percent((column + 0.5) * step), _percent((row + 0.5) * step)
            written.append(f'<text x="{x}" y="{y}"{_light(value)}>{escape(write(value))}</text>')
        marks.append(_text(name, 0, (row + 0.5) * step, dx=-6, dy=4, anchor="end"))
        marks.append(
            f'<svg x="{_percent((row + 0.5) * step)}" y="100%" overflow="visible">'
            f'<text class="end" transform="rotate(-90)" x="-6" y="4">{escape(name)}</text></svg>'
        )
    # A phone has no room for numbers in cells, so its style hides what is wide.
    marks.append(f'<g class="cell wide" transform="translate(0 4)">{"".join(written)}</g>')
    margin = round(max(map(len, names), default=0) * LETTER_WIDTH * 1.15) + 14
    return Plot("".join(marks), 24 * len(names), label, left=margin, top=2, bottom=margin)


def tint(value: float) -> str:
    """Return the colour of a value between -1 and 1."""
    end = (0, 114, 178) if value < 0 else (213, 94, 0)
    return "#" + "".join(f"{round(255 + (channel - 255) * min(abs(value), 1)):02x}" for channel in end)


def _light(value: float) -> str:
    """Return an attribute that makes text readable on dark blue."""
    return ' style="fill:#fff"' if value < -0.7 else ""


def strip(spans: Sequence[Span], x: Scale, *, label: str, height: int = 44) -> Plot:
    """Draw stretches of one axis in the colours of their categories."""
    marks = [_rectangle(x(span.start), 0, x(span.end) - x(span.start), 1, span.colour, span.label) for span in spans]
    ticks = _places_grid(x)
    return Plot("".join(marks) + ticks, height, label, top=4)


def _grid(x: Scale, y: Scale) -> str:
    return _values_grid(y) + _places_grid(x) + (_zero(y) if y.low <= 0 <= y.high else "")


def _values_grid(y: Scale) -> str:
    marks = [_text(y.unit, 0, 0, dx=-44, dy=-14, anchor="unit")]
    for tick in y.ticks:
        place = _percent(1 - y(tick))
        marks.append(f'<line class="grid" x1="0" x2="100%" y1="{place}" y2="{place}"/>')
        marks.append(_text(y.name(tick), 0, 1 - y(tick), dx=-6, dy=4, anchor="end"))
    return "".join(marks)


def _places_grid(x: Scale) -> str:
    marks = [_text(x.unit, 0.5, 1, dy=2 * TEXT_HEIGHT, anchor="mid unit")]
    for tick in x.ticks:
        place = _percent(x(tick))
        marks.append(f'<line class="grid" x1="{place}" x2="{place}" y1="0" y2="100%"/>')
        marks.append(_text(x.name(tick), x(tick), 1, dy=TEXT_HEIGHT, anchor="mid"))
    return "".join(marks)


def _zero(y: Scale) -> str:
    place = _percent(1 - y(0))
    return f'<line class="zero" x1="0" x2="100%" y1="{place}" y2="{place}"/>'


def _rectangle(x: float, y: float, width: float, height: float, colour: str, title: str) -> str:
    place = f'x="{_percent(x)}" y="{_percent(y)}" width="{_percent(width)}" height="{_percent(height)}"'
    return f'<rect {place} fill="{colour}"><title>{escape(title)}</title></rect>'


def _text(text: str, x: float, y: float, *, dx: float = 0, dy: float = 0, anchor: str = "") -> str:
    if not text:
        return ""
    shift = (f' dx="{dx:g}"' if dx else "") + (f' dy="{dy:g}"' if dy else "")
    return f'<text class="{anchor}" x="{_percent(x)}" y="{_percent(y)}"{shift}>{escape(text)}</text>'


def _percent(fraction: float) -> str:
    """Return a length in percent of the plot; never "-0"."""
    return f"{round(fraction * 100, 3) + 0:g}%"


def _dash(stroke: Stroke) -> str:
    return f' stroke-dasharray="{stroke.dash}"' if stroke.dash else ""


def swatch(look: Stroke | str) -> str:
    """Return the sample before a legend's entry: an SVG of 26 by 12 pixels."""
    if isinstance(look, str):
        return f'<rect x="7.5" y=".5" width="11" height="11" fill="{look}" stroke="#777" stroke-width=".5"/>'
    return f'<line x2="26" y1="6" y2="6" stroke="{look.colour}" stroke-width="{look.width + 0.6:g}"{_dash(look)}/>'


def drawing(figures: Sequence[Figure], width: int = 900) -> str:
    """Return figures, one below the other, as one SVG with its own style; the page places plots with CSS instead."""
    marks: list[str] = []
    below = 0
    for figure in figures:
        marks.append(
            f'<text x="8" y="{below + 22}" style="font-size:15px;font-weight:600">{escape(figure.title)}</text>'
        )
        legend, below = _legend(figure.keys, width, below + 32)
        plot = figure.plot
        marks += [
            legend,
            (
                f'<svg x="{plot.left}" y="{below + plot.top}" width="{width - plot.left - 24}" height="{plot.height}" '
                # An image shows no titles of its parts.
                f'overflow="visible">{re.sub("<title>.*?</title>", "", plot.body)}</svg>'
            ),
        ]
        below += plot.top + plot.height + plot.bottom
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {below}" width="{width}" height="{below}">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(marks)}</svg>'
    )


def _legend(keys: Sequence[Key], width: int, top: int) -> tuple[str, int]:
    """Return the entries, in as many lines as they need, and where the last line ends."""
    marks = []
    left, line = 8.0, 0
    for key in keys:
        room = 34 + len(key.label) * LETTER_WIDTH + 18
        if left + room > width and left > 8:
            left, line = 8.0, line + 1
        marks.append(
            f'<svg x="{left:g}" y="{top + line * 18}" overflow="visible">{swatch(key.look)}'
            f'<text x="32" y="10">{escape(key.label)}</text></svg>'
        )
        left += room
    return "".join(marks), top + (18 * (line + 1) if keys else 0)
