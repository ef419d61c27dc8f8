"""Drawings: where marks lie, in percent of the plot or in thousandths of it, worked out by hand."""

from xml.etree import ElementTree

import pytest

from pipelines.report import svg
from pipelines.report.scales import Scale, linear
from pipelines.report.svg import Band, Figure, Key, Line, Part, Plot, Span, Stroke

INK = Stroke("#000000")


def drawn(plot: Plot) -> ElementTree.Element:
    return ElementTree.fromstring(f"<svg>{plot.body}</svg>")


def axis(low: float, high: float) -> Scale:
    return Scale(low, high, (low, high), str, "units")


def rectangles(plot: Plot) -> list[tuple[float, ...]]:
    """Return x, y, width and height of every rectangle in percent."""
    sides = ("x", "y", "width", "height")
    return [tuple(float(one.attrib[side].rstrip("%")) for side in sides) for one in drawn(plot).iter("rect")]


def test_line_goes_through_its_points_and_is_interrupted_where_nothing_is_known() -> None:
    line = Line("a & b", [0, 1, 2, 3, 4], [0, 10, None, 5, 10], INK)
    [path] = drawn(svg.lines([line], axis(0, 4), axis(0, 10), label="A line.")).iter("path")
    assert path.attrib["d"] == "M0.00 1000.00L250.00 0.00M750.00 500.00L1000.00 0.00"
    assert path.attrib["data-label"] == "a & b"


def test_single_point_is_drawn() -> None:
    [path] = drawn(svg.lines([Line("one", [0], [5], INK)], axis(0, 4), axis(0, 10), label="A point.")).iter("path")
    assert path.attrib["d"] == "M0.00 500.00L0.00 500.00"


def test_band_lies_between_its_two_lines() -> None:
    band = Band([0, 4], [0, 5], [5, 10], "#000000")
    plot = svg.lines([Line("one", [0, 4], [2, 7], INK)], axis(0, 4), axis(0, 10), label="A band.", bands=[band])
    area, _ = drawn(plot).iter("path")
    assert area.attrib["d"] == "M0.00 500.00L1000.00 0.00L1000.00 500.00L0.00 1000.00Z"


def test_columns_are_stacked_upwards_and_those_below_zero_downwards() -> None:
    parts = [Part("first", [10, 5], "#111111"), Part("second", [20, -5], "#222222")]
    plot = svg.columns(["2001", "2002"], parts, axis(-10, 30), label="Columns.", unit="year")
    # Zero lies at three quarters of the height; a column is four tenths wide, a tenth of its half from the edge.
    assert rectangles(plot) == [(5, 50, 40, 25), (5, 0, 40, 50), (55, 62.5, 40, 12.5), (55, 75, 40, 12.5)]


def test_bars_go_right_from_zero_and_losses_left() -> None:
    plot = svg.bars(["AAA", "BBB"], [Part("gain", [30, -10], "#111111")], axis(-10, 30), label="Bars.")
    assert rectangles(plot) == [(25, 7.5, 75, 35), (0, 57.5, 25, 35)]


def test_heat_map_is_white_at_zero_and_leaves_out_what_is_not_known() -> None:
    plot = svg.heat_map(["A", "B"], [[1, 0], [0, None]], label="A map.", write=str)
    assert [one.attrib["fill"] for one in drawn(plot).iter("rect")] == ["#d55e00", "#ffffff", "#ffffff"]
    assert svg.tint(-1) == "#0072b2"


def test_strip_gives_each_stretch_its_share_of_the_width() -> None:
    spans = [Span(0, 1, "low", "#111111"), Span(1, 4, "high", "#222222")]
    assert rectangles(svg.strip(spans, axis(0, 4), label="A strip.")) == [(0, 0, 25, 100), (25, 0, 75, 100)]


def contrast(colour: str) -> float:
    """Return the contrast of a colour against white, as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


@pytest.mark.parametrize("colour", [svg.BLACK, *svg.COLOURS])
def test_lines_contrast_with_white(colour: str) -> None:
    # WCAG 2.2, success criterion 1.4.11: graphical objects need a contrast of 3.
    assert contrast(colour) >= 3


def test_drawing_is_whole_in_itself_and_its_names_are_text() -> None:
    plot = svg.lines([Line("<a>", [0, 1], [0, 1], INK)], axis(0, 1), linear([0, 1], "units"), label="A line.")
    drawing = ElementTree.fromstring(svg.drawing([Figure("[Title] & more", plot, (Key("<a>", INK),))]))
    texts = [one.text for one in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"[Title] & more", "<a>", "units"} <= set(texts)
