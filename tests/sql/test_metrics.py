"""The macros against empyrical-reloaded, its published answers, and definitions worked by hand."""

import math

import duckdb
import empyrical
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from support.lake_tables import SQL

from pipelines.warehouse.models import read_macros

YEAR = 252
TOLERANCE = 1e-12

# The cases of empyrical's own tests (tests/test_stats.py there), in percent.
MIXED = [math.nan, 1, 10, -4, 2, 3, 2, 1, -10]
CASES = {
    "mixed": MIXED,
    "positive": [1, 2, 1, 1, 1, 1, 1, 1, 1],
    "negative": [0, -6, -7, -1, -9, -2, -6, -8, -5],
    "all_negative": [-2, -6, -7, -1, -9, -2, -6, -8, -5],
    "noise": np.random.default_rng(1337).normal(0.05, 1.2, 1000).tolist(),
}
WITH_A_LOSS = ["mixed", "negative", "all_negative", "noise"]


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(read_macros(SQL))
    return connection


def fractions(case: str) -> pd.Series:
    return pd.Series(CASES[case], dtype=float) / 100


def aggregate(con: duckdb.DuckDBPyConnection, expression: str, returns: list[float | None] | pd.Series) -> float | None:
    """Evaluate an expression over the column r, in which what is not a number arrives as NULL."""
    periods = pa.array(range(len(returns)), pa.int32())
    con.register("returns", pa.table({"period": periods, "r": pa.array(returns, pa.float64(), from_pandas=True)}))
    return con.execute(f"select {expression} from returns").fetchall()[0][0]


def scalar(con: duckdb.DuckDBPyConnection, expression: str, *numbers: float) -> float | None:
    return con.execute(f"select {expression}", [float(number) for number in numbers]).fetchall()[0][0]


def test_sharpe_of_mixed_returns_is_the_published_one(con):
    # empyrical, tests/test_stats.py: test_sharpe_ratio, mixed_returns, risk_free 0.
    assert aggregate(con, "sharpe(r, 252)", fractions("mixed")) == pytest.approx(1.7238613961706866, rel=TOLERANCE)


def test_sortino_of_mixed_returns_is_the_published_one(con):
    # empyrical, tests/test_stats.py: test_sortino, mixed_returns, required_return 0.
    assert aggregate(con, "sortino(r, 252)", fractions("mixed")) == pytest.approx(2.605531251673693, rel=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_sharpe_agrees_with_empyrical(con, case):
    expected = empyrical.sharpe_ratio(fractions(case))
    assert aggregate(con, "sharpe(r, 252)", fractions(case)) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("case", WITH_A_LOSS)
def test_sharpe_and_sortino_of_excess_returns_agree_with_empyrical(con, case):
    returns, risk_free = fractions(case), 0.0001
    assert aggregate(con, f"sharpe(r - {risk_free}, 252)", returns) == pytest.approx(
        empyrical.sharpe_ratio(returns, risk_free), rel=TOLERANCE
    )
    assert aggregate(con, f"sortino(r - {risk_free}, 252)", returns) == pytest.approx(
        empyrical.sortino_ratio(returns, risk_free), rel=TOLERANCE
    )


@pytest.mark.parametrize("case", WITH_A_LOSS)
def test_sortino_agrees_with_empyrical(con, case):
    expected = empyrical.sortino_ratio(fractions(case))
    assert aggregate(con, "sortino(r, 252)", fractions(case)) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("periods", [252, 365])
def test_annualised_volatility_agrees_with_empyrical(con, case, periods):
    expected = empyrical.annual_volatility(fractions(case), annualization=periods)
    assert aggregate(con, f"annualised_volatility(r, {periods})", fractions(case)) == pytest.approx(
        expected, rel=TOLERANCE
    )


@pytest.mark.parametrize("case", CASES)
def test_deepest_drawdown_agrees_with_empyrical(con, case):
    aggregate(con, "count(*)", fractions(case))
    found = con.execute("""
        with growth as (select period, product(1 + r) over (order by period) as growth from returns where r is not null)
        select min(below) from (select drawdown(growth, max(growth) over (order by period)) as below from growth)
    """).fetchall()[0][0]
    assert found == pytest.approx(empyrical.max_drawdown(fractions(case)), abs=TOLERANCE)


def test_drawdown_counts_a_fall_below_the_start(con):
    assert scalar(con, "drawdown(0.9, 0.95)") == pytest.approx(-0.1, rel=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_cagr_agrees_with_empyrical_over_the_same_share_of_a_year(con, case):
    returns = fractions(case)
    # empyrical counts periods, nan included; as many calendar days make the same share of 365.25.
    days, growth = 365.25 * len(returns) / YEAR, (1 + returns.fillna(0)).prod()
    assert scalar(con, "cagr(?, ?)", growth, days) == pytest.approx(empyrical.cagr(returns), rel=TOLERANCE)


def test_cagr_of_a_doubling_in_four_years_is_the_fourth_root_of_two(con):
    assert scalar(con, "cagr(2, date '2024-01-01' - date '2020-01-01')") == pytest.approx(2**0.25 - 1, rel=TOLERANCE)


@pytest.mark.parametrize("case", WITH_A_LOSS)
def test_calmar_agrees_with_empyrical(con, case):
    returns = fractions(case)
    growth_rate, deepest = empyrical.cagr(returns), empyrical.max_drawdown(returns)
    found = scalar(con, "calmar(?, ?)", growth_rate, deepest)
    assert found == pytest.approx(empyrical.calmar_ratio(returns), rel=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_value_at_risk_agrees_with_numpys_percentile_and_empyrical(con, case):
    returns = fractions(case)
    found = aggregate(con, "value_at_risk(r)", returns)
    assert found == pytest.approx(np.nanpercentile(returns, 5), rel=TOLERANCE)
    assert found == pytest.approx(empyrical.value_at_risk(returns.dropna(), 0.05), rel=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_conditional_value_at_risk_is_the_mean_return_up_to_pandas_quantile(con, case):
    returns = fractions(case)
    expected = returns[returns <= returns.quantile(0.05)].mean()
    assert aggregate(con, "conditional_value_at_risk(r)", returns) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("case", ["mixed", "noise"])
def test_conditional_value_at_risk_of_different_returns_agrees_with_empyrical(con, case):
    expected = empyrical.conditional_value_at_risk(fractions(case).dropna(), 0.05)
    assert aggregate(con, "conditional_value_at_risk(r)", fractions(case)) == pytest.approx(expected, rel=TOLERANCE)


def test_values_at_risk_of_41_returns_are_the_third_worst_and_the_mean_up_to_it(con):
    # 5 % of the way from the first to the last of 41 is the third; two more returns are as bad as that one.
    returns = [-0.09, -0.06, *[-0.03] * 3, *[0.01] * 36]
    assert aggregate(con, "value_at_risk(r)", returns) == pytest.approx(-0.03, rel=TOLERANCE)
    assert aggregate(con, "conditional_value_at_risk(r)", returns) == pytest.approx(-0.24 / 5, rel=TOLERANCE)


@pytest.mark.parametrize("metric", ["value_at_risk", "conditional_value_at_risk"])
@pytest.mark.parametrize("returns", [[], [-0.01], [None, -0.01]])
def test_too_few_returns_have_no_value_at_risk(con, metric, returns):
    assert aggregate(con, f"{metric}(r)", returns) is None


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2023-01-03", "2023-12-29", True),  # the sessions of XNYS in a calendar year: 360 days
        ("2024-01-02", "2024-12-31", True),
        ("2024-01-02", "2024-12-26", False),
        ("2024-01-02", "2024-01-29", False),
    ],
)
def test_sessions_of_a_calendar_year_are_a_year_and_fewer_are_not(con, first, last, expected):
    assert con.sql(f"select is_of_a_year(date '{last}' - date '{first}')").fetchall() == [(expected,)]


def test_per_year_of_an_amount_over_half_a_year_is_twice_the_amount(con):
    assert scalar(con, "per_year(100, 182.625)") == pytest.approx(200, rel=TOLERANCE)


@pytest.mark.parametrize(
    ("value", "withdrawals", "previous_value", "deposits", "expected"),
    [(1100, 0, 1000, 0, 0.1), (1050, 50, 1000, 0, 0.1), (1155, 0, 1000, 50, 0.1), (1000, 0, 1000, 0, 0.0)],
)
def test_money_put_in_or_taken_out_is_no_return(con, value, withdrawals, previous_value, deposits, expected):
    found = scalar(con, "time_weighted_return(?, ?, ?, ?)", value, withdrawals, previous_value, deposits)
    assert found == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("metric", ["sharpe", "sortino", "annualised_volatility"])
@pytest.mark.parametrize("returns", [[], [0.01], [-0.01], [None, -0.01], [None, None]])
def test_too_few_returns_give_null(con, metric, returns):
    assert aggregate(con, f"{metric}(r, 252)", returns) is None


@pytest.mark.parametrize("returns", [[0.0] * 9, [0.01] * 9, [-0.01] * 9])
def test_equal_returns_have_no_sharpe_ratio(con, returns):
    assert aggregate(con, "sharpe(r, 252)", returns) is None


def test_returns_that_differ_by_rounding_have_no_ratios(con):
    rounded = [1e-16, -2e-16, 0.0, 3e-16]
    assert aggregate(con, "sharpe(r, 252)", rounded) is None
    assert aggregate(con, "sortino(r, 252)", rounded) is None


def test_returns_without_a_loss_have_no_sortino_ratio(con):
    assert aggregate(con, "sortino(r, 252)", fractions("positive")) is None


@pytest.mark.parametrize(
    "expression",
    [
        "cagr(1.5, 0)",
        "cagr(-0.5, 365)",
        "cagr(null, 365)",
        "per_year(100, 0)",
        "calmar(0.1, 0)",
        "calmar(0.1, -1e-16)",
        "calmar(null, -0.1)",
        "time_weighted_return(0, 0, 0, 0)",
        "time_weighted_return(1e-11, 0, 1e-12, 0)",
        # From -10 to -20 is no gain of 100 %.
        "time_weighted_return(-20, 0, -10, 0)",
        "growth_factor(null)",
        "share_of_value(50, 0)",
        "share_of_value(-150, -50)",
    ],
)
def test_a_figure_that_cannot_be_computed_is_null(con, expression):
    assert scalar(con, expression) is None


def test_a_total_loss_has_a_growth_rate_of_minus_one(con):
    assert scalar(con, "cagr(0, 1000)") == -1


@pytest.mark.parametrize(("simple_return", "factor"), [(0.25, 1.25), (-0.25, 0.75), (-1.0, 0.0), (-1.2, 0.0)])
def test_growth_ends_where_all_or_more_is_lost(con, simple_return, factor):
    assert scalar(con, "growth_factor(?)", simple_return) == factor


@pytest.mark.parametrize(
    ("one", "other", "money", "same"),
    [
        (0.0, 0.0, 0.0, True),
        (1.0, 1.0 + 9e-10, 0.0, True),
        (1.0, 1.0 + 2e-9, 0.0, False),
        (0.0, 9e-10, 1.0, True),
        (0.0, 2e-9, 1.0, False),
    ],
)
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e12])
def test_amounts_are_the_same_to_nine_digits_of_the_money_whatever_its_unit(con, one, other, money, same, unit):
    amounts = [amount * unit for amount in (one, other, money)]
    assert scalar(con, "same_money(?, ?, money := ?)", *amounts) is same


def test_every_macro_says_what_it_computes(con):
    comments = dict(con.execute("select function_name, comment from duckdb_functions() where not internal").fetchall())
    assert "sharpe" in comments
    assert all(comments.values())


# Beside a benchmark


def paired(
    con: duckdb.DuckDBPyConnection, expression: str, one: list[float | None], other: list[float | None]
) -> float | None:
    """Evaluate an expression over the columns r and b, in which what is not a number arrives as NULL."""
    r, b = (pa.array(numbers, pa.float64(), from_pandas=True) for numbers in (one, other))
    con.register("pairs", pa.table({"r": r, "b": b}))
    return con.execute(f"select {expression} from pairs").fetchall()[0][0]


def followed(seed: int) -> tuple[list[float], list[float]]:
    """Return drawn returns of a portfolio that follows a benchmark at times, and those of the benchmark."""
    draws = np.random.default_rng(seed)
    benchmark = draws.normal(0.0004, 0.011, 700)
    portfolio = draws.uniform(-0.5, 1.5) * benchmark + draws.normal(0.0002, 0.004, 700)
    return portfolio.tolist(), benchmark.tolist()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("periods", [252, 365])
def test_beta_and_alpha_agree_with_empyrical(con, seed, periods):
    portfolio, benchmark = followed(seed)
    alpha, beta = empyrical.alpha_beta(pd.Series(portfolio), pd.Series(benchmark), annualization=periods)
    assert paired(con, "beta(r, b)", portfolio, benchmark) == pytest.approx(beta, rel=1e-10)
    # empyrical compounds the alpha of a session over a year, the macro multiplies it.
    of_a_session = (1 + alpha) ** (1 / periods) - 1
    found = paired(con, f"jensens_alpha(r, b, {periods})", portfolio, benchmark)
    assert found == pytest.approx(of_a_session * periods, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_information_ratio_and_tracking_error_agree_with_empyrical(con, seed):
    portfolio, benchmark = followed(seed)
    # empyrical's excess Sharpe ratio is that of a session.
    ratio = empyrical.excess_sharpe(pd.Series(portfolio), pd.Series(benchmark)) * math.sqrt(YEAR)
    active = pd.Series(portfolio) - pd.Series(benchmark)
    assert paired(con, "sharpe(r - b, 252)", portfolio, benchmark) == pytest.approx(ratio, rel=1e-10)
    assert paired(con, "annualised_volatility(r - b, 252)", portfolio, benchmark) == pytest.approx(
        empyrical.annual_volatility(active), rel=1e-10
    )


@pytest.mark.parametrize("seed", range(5))
def test_correlation_agrees_with_numpy(con, seed):
    portfolio, benchmark = followed(seed)
    expected = np.corrcoef(portfolio, benchmark)[0, 1]
    assert paired(con, "correlation(r, b)", portfolio, benchmark) == pytest.approx(expected, rel=1e-10)


def test_line_through_two_pairs_is_the_line_through_two_points(con):
    one, other = [0.03, 0.07, None, 0.5], [0.01, 0.03, 0.5, None]
    assert paired(con, "beta(r, b)", one, other) == pytest.approx(2, rel=TOLERANCE)
    assert paired(con, "jensens_alpha(r, b, 252)", one, other) == pytest.approx(0.01 * 252, rel=1e-10)


def test_correlation_of_a_line_is_one_and_never_beyond(con):
    for seed in range(50):
        series = np.random.default_rng(seed).normal(0, 0.01, 30)
        for slope in (0.3, -0.7):
            found = paired(con, "correlation(r, b)", (slope * series).tolist(), series.tolist())
            assert found is not None
            assert found == pytest.approx(math.copysign(1, slope), abs=TOLERANCE)
            assert abs(found) <= 1


@pytest.mark.parametrize("measure", ["beta(r, b)", "jensens_alpha(r, b, 252)", "correlation(r, b)"])
@pytest.mark.parametrize(
    "pairs",
    [
        [(0.01, 0.02)],
        [(None, 0.02), (0.01, 0.03)],
        [(0.01, 0.02), (0.03, 0.02), (None, 0.05)],
        [(0.01, 0.1 + 0.2), (0.03, 0.3)],
    ],
    ids=["one pair", "one whole pair", "benchmark constant where both are", "benchmark moves by rounding"],
)
def test_figures_beside_a_benchmark_that_does_not_move_are_null(con, measure, pairs):
    one, other = ([pair[side] for pair in pairs] for side in (0, 1))
    assert paired(con, measure, one, other) is None


def test_portfolio_that_does_not_move_has_a_beta_of_zero_and_no_correlation(con):
    still, moving = [0.001] * 3, [0.01, -0.02, 0.03]
    assert paired(con, "beta(r, b)", still, moving) == pytest.approx(0, abs=TOLERANCE)
    assert paired(con, "jensens_alpha(r, b, 252)", still, moving) == pytest.approx(0.252, rel=1e-10)
    assert paired(con, "correlation(r, b)", still, moving) is None
