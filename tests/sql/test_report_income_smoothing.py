"""Slopes through portfolios of some of the assets, against numpy's least squares and on portfolios made by hand."""

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pytest
from support.lake_tables import SQL, build_only, insert, targets

from pipelines.warehouse.models import read_macros

EXACT = 1e-9
NOT_SHOWN = "the data do not show"
TOO_FEW = "Too few portfolios"

# Assets by their volatility. Portfolios of more volatile assets move less together, but not in a straight line: the
# correlation of a pair is 0.9 less its mean volatility, and a bit of its own.
VOLATILITY = {"AAA": 0.1, "BBB": 0.15, "CCC": 0.25, "DDD": 0.3, "EEE": 0.4, "FFF": 0.5}
OWN = (0.02, -0.01, 0.0, -0.02, 0.01)


class Portfolio(NamedTuple):
    tickers: tuple[str, ...]
    correlation: float
    volatility: float
    income: float | None


Law = Callable[[float, float], float | None]


def pairs(
    law: Law,
    tickers: Iterable[str] = VOLATILITY,
    correlation: Callable[[float, float], float] = lambda volatility, own: 0.9 - volatility + own,
    volatility: Callable[[float], float] = lambda mean: mean,
) -> list[Portfolio]:
    """Return all pairs of assets, whose income varies by a law of correlation and mean volatility."""
    found = []
    for number, members in enumerate(combinations(tickers, 2)):
        mean = volatility(sum(VOLATILITY[member] for member in members) / 2)
        together = correlation(mean, OWN[number % len(OWN)])
        found.append(Portfolio(members, together, mean, law(together, mean)))
    return found


def report(con: duckdb.DuckDBPyConnection, portfolios: list[Portfolio]) -> dict[str, Any]:
    """Put portfolios into the lake, with the assets that they name, and return their row."""
    tickers = sorted({ticker for portfolio in portfolios for ticker in portfolio.tickers})
    # Beside those of another strategy, of which this one has nothing, and its later targets.
    insert(con, "strategy_target", *targets("sd8", **dict.fromkeys(tickers, 1 / len(tickers)), none=0.0))
    insert(con, "strategy_target", *targets("sd8", "2024-01-03", later=1.0), *targets("other", elsewhere=1.0))
    columns = ("tickers", "average_correlation", "mean_volatility", "income_variability")
    for number, portfolio in enumerate(portfolios, start=1):
        row = {"subset": number, "strategy": "sd8", "reserve": 0.1, **dict(zip(columns, portfolio, strict=True))}
        insert(con, "income_subset", row | {"tickers": list(portfolio.tickers)})
    build_only(con, "report_income_smoothing")
    [found] = con.sql("from report_income_smoothing").to_arrow_table().to_pylist()
    return found


def least_squares(portfolios: list[Portfolio], partial: bool) -> float:
    """Return the coefficient of correlation, with volatility as a second regressor or without."""
    regressors = [[one.correlation, 1.0, one.volatility][: 3 if partial else 2] for one in portfolios]
    return float(np.linalg.lstsq(np.array(regressors), [one.income for one in portfolios], rcond=None)[0][0])


@pytest.mark.parametrize("seed", range(5))
def test_both_slopes_and_their_errors_are_those_of_numpy_on_drawn_numbers(con, seed):
    draw = np.random.default_rng(seed)
    drawn = []
    for members in combinations(VOLATILITY, 3):
        volatility = draw.uniform(0.1, 0.5)
        correlation = 0.8 - volatility + draw.normal(0, 0.1)
        drawn.append(Portfolio(members, correlation, volatility, 0.02 + 0.05 * volatility + draw.normal(0, 0.01)))
    found = report(con, drawn)
    assert (found["portfolios"], found["assets"]) == (20, 3)
    for prefix, partial in (("", False), ("partial_", True)):
        slope = least_squares(drawn, partial)
        without = [least_squares([one for one in drawn if out not in one.tickers], partial) for out in VOLATILITY]
        error = np.sqrt(5 / 6 * np.sum((without - np.mean(without)) ** 2))
        names = [f"{prefix}{name}" for name in ("slope", "standard_error", "slope_low", "slope_high")]
        expected = [slope, error, slope - 2 * error, slope + 2 * error]
        assert [found[name] for name in names] == pytest.approx(expected, rel=EXACT)
    sides = [[one.correlation for one in drawn], [one.income for one in drawn]]
    assert found["correlation"] == pytest.approx(np.corrcoef(sides)[0, 1], rel=EXACT)


def test_slope_that_is_there_only_through_volatility_is_none_at_the_same_volatility(con):
    found = report(con, pairs(lambda _, volatility: 0.1 * volatility))
    # Correlation falls by about 1 where volatility rises by 1, so income falls by about 0.1 where correlation rises.
    assert found["slope"] == pytest.approx(-0.1, abs=0.01)
    assert found["slope_high"] < -0.05
    assert found["partial_slope"] == pytest.approx(0, abs=1e-12)
    assert NOT_SHOWN in found["verdict"]


@pytest.mark.parametrize(("effect", "finding"), [(0.02, "had steadier income"), (-0.02, "had less steady income")])
def test_verdict_is_of_the_slope_at_the_same_volatility_whatever_the_plain_one_says(con, effect, finding):
    found = report(con, pairs(lambda correlation, volatility: effect * correlation + 0.1 * volatility))
    assert found["slope_high"] < 0  # by itself it says less steady both times
    assert found["partial_slope"] == pytest.approx(effect, rel=EXACT)
    assert found["partial_standard_error"] == pytest.approx(0, abs=1e-12)
    assert finding in found["verdict"]


@pytest.mark.parametrize("effect", [1e-14, -1e-14])
def test_slope_no_steeper_than_rounding_says_nothing_however_small_its_error(con, effect):
    found = report(con, pairs(lambda correlation, _: effect * correlation))
    assert found["partial_slope"] == pytest.approx(effect, rel=EXACT)
    assert 2 * found["partial_standard_error"] < abs(effect)
    assert NOT_SHOWN in found["verdict"]


def test_portfolios_whose_correlation_is_their_volatility_have_no_partial_slope(con):
    found = report(
        con, pairs(lambda _, volatility: 0.1 * volatility, correlation=lambda volatility, own: 0.9 - volatility)
    )
    assert found["slope"] == pytest.approx(-0.1, rel=EXACT)
    assert [found[f"partial_{name}"] for name in ("slope", "slope_low", "slope_high")] == [None] * 3
    assert TOO_FEW in found["verdict"]


def test_asset_without_which_the_two_are_the_same_leaves_no_interval(con):
    # Pairs without FFF are on a line; those with it are not.
    portfolios = pairs(lambda correlation, _: 0.1 * correlation, correlation=lambda volatility, own: 0.9 - volatility)
    bent = [
        one._replace(correlation=one.correlation + own, income=0.1 * (one.correlation + own))
        for one, own in zip([one for one in portfolios if "FFF" in one.tickers], OWN, strict=True)
    ]
    found = report(con, [one for one in portfolios if "FFF" not in one.tickers] + bent)
    assert found["partial_slope"] == pytest.approx(0.1, rel=EXACT)
    assert found["standard_error"] == pytest.approx(0, abs=1e-12)
    assert [found[f"partial_{name}"] for name in ("standard_error", "slope_low", "slope_high")] == [None] * 3
    assert TOO_FEW in found["verdict"]


def test_both_slopes_are_the_same_where_all_portfolios_have_the_same_volatility(con):
    alike = pairs(
        lambda correlation, _: 0.01 + 0.02 * correlation**2,
        correlation=lambda _, own: 0.5 + own,
        volatility=lambda _: 0.3,
    )
    found = report(con, alike)
    for name in ("slope", "standard_error", "slope_low", "slope_high"):
        assert found[name] is not None
        assert found[f"partial_{name}"] == found[name]
    assert "had steadier income" in found["verdict"]


def test_portfolios_that_move_together_alike_have_no_slopes(con):
    found = report(con, pairs(lambda _, volatility: 0.1 * volatility, correlation=lambda volatility, own: 0.3))
    names = [name for name in found if "slope" in name or "error" in name]
    assert len(names) == 8
    assert [found[name] for name in [*names, "correlation"]] == [None] * 9
    assert TOO_FEW in found["verdict"]


def test_income_that_varies_alike_has_a_slope_of_none(con):
    found = report(con, pairs(lambda *_: 0.01))
    assert (found["slope"], found["partial_slope"]) == pytest.approx((0, 0), abs=1e-12)
    assert found["correlation"] is None
    assert NOT_SHOWN in found["verdict"]


def test_four_assets_have_a_slope_at_the_same_volatility_and_no_interval(con):
    # Without one of them three pairs are left, through which a plane always goes.
    four = pairs(lambda correlation, volatility: 0.02 * correlation + 0.1 * volatility, tickers=list(VOLATILITY)[:4])
    found = report(con, four)
    assert found["portfolios"] == 6
    assert found["partial_slope"] == pytest.approx(0.02, rel=EXACT)
    assert found["standard_error"] is not None
    assert found["partial_standard_error"] is None
    assert TOO_FEW in found["verdict"]


def macro(expression: str, rows: list[tuple[float | None, ...]]) -> float | None:
    """Evaluate an aggregate over columns y, x and z."""
    with duckdb.connect() as con:
        con.execute(read_macros(SQL))
        con.execute("create table observations (y double, x double, z double)")
        con.executemany("insert into observations values (?, ?, ?)", rows)
        return con.execute(f"select {expression} from observations").fetchall()[0][0]


# (x, z) around (1.5, 1.5): sums of squares 5 and 5, of products -4. So of y = 2 x + z the plain slope is 2 - 4 / 5.
PLANE = [(2.0 * x + z, float(x), float(z)) for x, z in ((0, 3), (1, 1), (2, 2), (3, 0))]


def test_partial_slope_of_a_plane_is_its_coefficient():
    assert macro("least_squares_slope(y, x)", PLANE) == pytest.approx(1.2, rel=EXACT)
    assert macro("partial_slope(y, x, z)", PLANE) == pytest.approx(2, rel=EXACT)
    assert macro("partial_slope(y, z, x)", PLANE) == pytest.approx(1, rel=EXACT)


@pytest.mark.parametrize("missing", range(3))
def test_observation_that_lacks_a_number_is_left_out_of_the_partial_slope(missing):
    odd: list[float | None] = [50.0, -7.0, 20.0]
    odd[missing] = None
    assert macro("partial_slope(y, x, z)", [*PLANE, tuple(odd)]) == pytest.approx(2, rel=EXACT)
    assert macro("partial_slope(y, x, z)", [*PLANE[:3], tuple(odd)]) is None


@pytest.mark.parametrize("count", range(4))
def test_fewer_than_four_observations_have_no_partial_slope(count):
    with_any = [*PLANE[:count]] or [(None, None, None)]
    assert macro("partial_slope(y, x, z)", with_any) is None


@pytest.mark.parametrize("rows", [[(1.0, 2.0, None)], [(1.0, 2.0, None), (3.0, 2.0, None)], [(1.0, None, None)] * 2])
def test_regressor_without_spread_has_no_slope(rows):
    assert macro("least_squares_slope(y, x)", rows) is None


def test_jackknife_error_of_means_is_that_of_the_mean():
    # Efron and Tibshirani (1993), chapter 11: of a mean the jackknife gives the standard error s / sqrt(n).
    sample = [1.0, 4.0, 4.0, 9.0, 12.0]
    without = [(float(np.mean(sample[:out] + sample[out + 1 :])), None, None) for out in range(5)]
    assert macro("jackknife_error(y)", without) == pytest.approx(np.std(sample, ddof=1) / np.sqrt(5), rel=EXACT)
    assert macro("jackknife_error(y)", [*without, (None, None, None)]) is None
    assert macro("jackknife_error(y)", without[:1]) is None
