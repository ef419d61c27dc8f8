"""The reserve question over the small study of ``lake_tables``, and over histories made by hand."""

import statistics

import duckdb
import pytest
from support.lake_tables import SESSIONS, add_scenario, build_only, insert

EXACT = 1e-12

# Where an outcome starts and how much it rises from each of 21 histories to the next: a step is 5 % of the way, so the
# 5th percentile is the second history, the median the eleventh, and the 95th percentile the twentieth.
DRAWN = {
    "final_value": (900.0, 10.0),
    "twr": (-0.1, 0.01),
    "xirr": (-0.05, 0.02),
    "sharpe": (-1.0, 0.1),
    "sortino": (-2.0, 0.2),
    "max_drawdown": (-0.8, 0.03),
    "income_per_year": (5.0, 2.0),
    "income_volatility": (1.0, 0.5),
    "months_without_income": (0.0, 0.04),
    "coverage_gross": (0.2, 0.07),
    "coverage_net": (-0.3, 0.05),
    "skipped_buys": (0.0, 3.0),
    "mean_cash_share": (0.06, 0.001),
    "low_cash_share": (0.1, 0.002),
}
WITH_MEDIAN = {"final_value", "sharpe", "max_drawdown"}


def report(con: duckdb.DuckDBPyConnection, strategy: str, reserve: float) -> dict[str, object]:
    [found] = (
        con.sql(f"from report_reserve where strategy = '{strategy}' and reserve = {reserve}")
        .to_arrow_table()
        .to_pylist()
    )
    return found


@pytest.fixture
def monthly(small: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The small study with its second session in February and its third in March."""
    for session, later in ((SESSIONS[1], "2024-02-01"), (SESSIONS[2], "2024-03-01")):
        for table in ("sessions", "rates", "prices", "simulation_daily", "simulation_ledger"):
            small.execute(f"update lake.{table} set session = '{later}' where session = '{session}'")
    small.execute("update lake.simulation_lots set opened = '2024-03-01'")
    return small


def test_income_varies_in_money_and_relative_to_the_value_a_month_before(monthly):
    build_only(monthly, "report_reserve")
    found = report(monthly, "sd8", 0.1)
    # Nothing in January; interest of 0.5 and a sale for 107; a dividend of 10 less a purchase for 96.
    income = [0.0, 107.5, -86.0]
    before = [1000.0, 998.0, 1045.5]  # the capital, and the values at the ends of January and February
    expected = {
        "income_volatility": statistics.stdev(income),
        "income_variability": statistics.stdev(one / value for one, value in zip(income, before, strict=True)),
        "months_without_income": 2 / 3,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=EXACT)


def test_months_of_a_pause_of_trading_are_months_without_income(monthly):
    for table in ("sessions", "rates", "prices", "simulation_daily", "simulation_ledger"):
        monthly.execute(f"update lake.{table} set session = '2024-05-02' where session = '2024-03-01'")
    monthly.execute("update lake.simulation_lots set opened = '2024-05-02'")
    build_only(monthly, "report_reserve", "simulation_income")
    columns = "month::varchar, first_session::varchar, last_session::varchar, dividends, harvest_net, income"
    found = monthly.sql(f"select {columns} from simulation_income where strategy = 'sd8' and month > '2024-02-01'")
    assert found.fetchall() == [
        ("2024-03-01", None, None, 0, 0, 0),
        ("2024-04-01", None, None, 0, 0, 0),
        ("2024-05-01", "2024-05-02", "2024-05-02", 10, -96, -86),
    ]
    income = [0.0, 107.5, 0.0, 0.0, -86.0]
    # In the pause the portfolio is worth what it was at the last close before it.
    before = [1000.0, 998.0, 1045.5, 1045.5, 1045.5]
    expected = {
        "income_volatility": statistics.stdev(income),
        "income_variability": statistics.stdev(one / value for one, value in zip(income, before, strict=True)),
        "months_without_income": 4 / 5,
    }
    reported = report(monthly, "sd8", 0.1)
    assert {name: reported[name] for name in expected} == pytest.approx(expected, rel=EXACT)


def test_income_on_a_value_that_stays_varies_as_in_money_over_that_value(monthly):
    monthly.execute("update lake.simulation_partition set capital = 2000 where strategy = 'sd8'")
    monthly.execute("update lake.simulation_daily set value = 2000 where strategy = 'sd8'")
    build_only(monthly, "report_reserve")
    found = report(monthly, "sd8", 0.1)
    assert found["income_volatility"] == pytest.approx(statistics.stdev([0, 107.5, -86]), rel=EXACT)
    assert found["income_variability"] == pytest.approx(statistics.stdev([0, 107.5, -86]) / 2000, rel=EXACT)


def test_single_month_has_no_variability(small):
    build_only(small, "report_reserve")
    found = report(small, "sd8", 0.1)
    assert (found["income_volatility"], found["income_variability"]) == (None, None)
    assert found["months_without_income"] == 0


def test_low_cash_is_a_share_of_the_sessions(small):
    # Under 5 % of 1000 on one session of three; at 50 exactly it is not under.
    add_scenario(small, "spending", 0.1, bank=(100.0, 50.0, 49.0), value=(1000.0,) * 3)
    build_only(small, "report_reserve")
    assert report(small, "spending", 0.1)["low_cash_share"] == pytest.approx(1 / 3, rel=EXACT)
    assert report(small, "sd8", 0.1)["low_cash_share"] == 0
    assert report(small, "buy_and_hold", 0.0)["low_cash_share"] == 1


def test_every_interval_is_of_the_outcome_it_is_named_after(small):
    for history in range(21):
        drawn = {name: start + history * step for name, (start, step) in DRAWN.items()}
        names = {"strategy": "sd8", "reserve": 0.1, "history": history + 1}
        settings = {"withdrawals": 0.0, "block_length": 10.0, "years": 30.0}
        insert(small, "reserve_bootstrap", names | settings | drawn)
    build_only(small, "report_reserve")
    found = report(small, "sd8", 0.1)
    expected = {}
    for name, (start, step) in DRAWN.items():
        expected |= {f"{name}_low": start + step, f"{name}_high": start + 19 * step}
        if name in WITH_MEDIAN:
            expected[f"{name}_median"] = start + 10 * step
    assert {name for name in found if name.endswith(("_low", "_median", "_high"))} == expected.keys()
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=EXACT)
    assert (found["histories"], found["years"]) == (21, 30)


def test_coverage_by_net_harvest_is_beside_that_by_gross(small):
    booking = {"strategy": "sd8", "reserve": 0.1, "seq": 100, "session": SESSIONS[2], "leg": 4, "kind": "WITHDRAWAL"}
    insert(small, "simulation_ledger", {**booking, "fee": 0.0, "amount": -50.0})
    build_only(small, "report_reserve")
    found = report(small, "sd8", 0.1)
    # A sale at 108, and 107 for it less 96 for a purchase.
    assert found["coverage_gross"] == pytest.approx(108 / 50, rel=EXACT)
    assert found["coverage_net"] == pytest.approx(11 / 50, rel=EXACT)


# --- verdicts ---------------------------------------------------------------------------------------------------------

NONE = ("twr", "income_per_year", "months_without_income", "withdrawals", "skipped_buys", "mean_cash_share")
DRAWN_AT_ALL = {**dict.fromkeys((*NONE, "low_cash_share"), 0.0), "block_length": 1.0, "years": 2 / 365.25}


def draw(con: duckdb.DuckDBPyConnection, strategy: str, reserve: float, **by_history: list[float]) -> None:
    """Add bootstrap samples of one scenario; an outcome that is left out is the same in all."""
    length = len(next(iter(by_history.values())))
    drawn = {"final_value": [1000.0] * length, "sharpe": [0.5] * length, "max_drawdown": [-0.2] * length, **by_history}
    names = {"strategy": strategy, "reserve": reserve} | DRAWN_AT_ALL
    samples = [
        names | {"history": history + 1} | {name: values[history] for name, values in drawn.items()}
        for history in range(length)
    ]
    insert(con, "reserve_bootstrap", *samples)


def verdict(con: duckdb.DuckDBPyConnection, strategy: str, measure: str) -> dict[str, object]:
    [found] = (
        con.sql(f"from report_reserve_verdict where strategy = '{strategy}' and measure = '{measure}'")
        .to_arrow_table()
        .to_pylist()
    )
    return found


def test_best_level_wins_head_to_head_though_another_has_the_better_median(small):
    # Medians 0.5 and 0.2, but the second wins two samples of three.
    draw(small, "sd8", 0.1, sharpe=[0.1, 0.5, 0.9])
    draw(small, "sd8", 0.2, sharpe=[0.2, 0.6, 0.1])
    build_only(small, "report_reserve_verdict")
    found = verdict(small, "sd8", "sharpe")
    assert (found["best_reserve"], found["rival_reserve"]) == (0.2, 0.1)
    assert found["least_probability"] == pytest.approx(2 / 3, rel=EXACT)
    assert found["difference_median"] == pytest.approx(0.1, rel=EXACT)
    # One sample on the rarer side of three: 2 x (1 + 1) / (3 + 1).
    assert (found["p_value"], found["conclusion"]) == (1.0, "undecided")


def test_wealth_leads_by_the_yearly_growth_of_the_ratio(small):
    # A tenth more after two days.
    draw(small, "sd8", 0.1, final_value=[1100.0] * 199)
    draw(small, "sd8", 0.2, final_value=[1000.0] * 199)
    build_only(small, "report_reserve_verdict")
    found = verdict(small, "sd8", "wealth")
    assert found["best_reserve"] == 0.1
    assert found["unit"] == "fraction per year"
    for place in ("low", "median", "high"):
        assert found[f"difference_{place}"] == pytest.approx(1.1 ** (365.25 / 2) - 1, rel=1e-9)
    # Three verdicts; the others are ties throughout.
    assert found["p_value"] == pytest.approx(2 / 200, rel=EXACT)
    assert (found["verdicts"], found["conclusion"]) == (3, "better")
    assert found["p_value_holm"] == pytest.approx(3 * 2 / 200, rel=EXACT)
    assert found["verdict"].startswith(
        "sd8, wealth: 10 % is the best reserve, better than 20 %, its closest rival, by "
    )
    tie = verdict(small, "sd8", "sharpe")
    assert (tie["p_value"], tie["p_value_holm"], tie["difference_median"]) == (1.0, 1.0, 0.0)


def test_holm_counts_the_smallest_p_value_most_and_lets_none_fall(small):
    # 1, 4 and 3 samples of 499 on the other side are p-values of 0.008, 0.02 and 0.016; Holm's are 0.024, 0.032, 0.032.
    def one(other_side: int, better: float, worse: float) -> list[float]:
        return [better] * (499 - other_side) + [worse] * other_side

    draw(
        small,
        "sd8",
        0.1,
        final_value=one(1, 1100, 900),
        sharpe=one(4, 0.7, 0.3),
        max_drawdown=one(3, -0.1, -0.3),
    )
    draw(small, "sd8", 0.2, final_value=[1000.0] * 499)
    build_only(small, "report_reserve_verdict")
    found = {measure: verdict(small, "sd8", measure) for measure in ("wealth", "sharpe", "max_drawdown")}
    assert [row["p_value"] for row in found.values()] == pytest.approx([0.008, 0.02, 0.016], rel=EXACT)
    assert [row["p_value_holm"] for row in found.values()] == pytest.approx([0.024, 0.032, 0.032], rel=EXACT)
    assert {row["conclusion"] for row in found.values()} == {"better"}


@pytest.mark.parametrize(
    ("smallest", "differs", "conclusion"),
    [(0.05, 0.04, "too_small"), (0.05, 0.06, "better"), (0.0, 0.04, "better")],
)
def test_difference_is_too_small_under_what_the_study_says_matters(small, smallest, differs, conclusion):
    small.execute(f"update lake.study set smallest_difference_sharpe = {smallest}")
    draw(small, "sd8", 0.1, sharpe=[0.5] * 199)
    draw(small, "sd8", 0.2, sharpe=[0.5 + differs] * 199)
    build_only(small, "report_reserve_verdict")
    found = verdict(small, "sd8", "sharpe")
    assert (found["conclusion"], found["smallest_difference"]) == (conclusion, smallest)
    assert found["is_at_edge"]
    assert found["verdict"].endswith("a better one may lie beyond.")


def test_interval_within_what_matters_is_too_small_though_not_significant(small):
    small.execute("update lake.study set smallest_difference_sharpe = 0.05")
    draw(small, "sd8", 0.1, sharpe=[0.5] * 20)
    draw(small, "sd8", 0.2, sharpe=[0.51] * 12 + [0.49] * 8)
    build_only(small, "report_reserve_verdict")
    found = verdict(small, "sd8", "sharpe")
    assert found["p_value_holm"] > 0.04
    assert found["conclusion"] == "too_small"


def test_sharpe_and_drawdown_without_a_rule_are_mechanical_and_not_counted(small):
    draw(small, "buy_and_hold", 0.0, final_value=[1200.0] * 99, sharpe=[0.9] * 99)
    draw(small, "buy_and_hold", 0.1, final_value=[1100.0] * 99, sharpe=[0.1] * 99)
    build_only(small, "report_reserve_verdict")
    for measure in ("sharpe", "max_drawdown"):
        found = verdict(small, "buy_and_hold", measure)
        assert found["conclusion"] == "mechanical"
        assert (found["best_reserve"], found["p_value"], found["difference_median"]) == (None, None, None)
        assert "no verdict" in found["verdict"]
    found = verdict(small, "buy_and_hold", "wealth")
    assert (found["conclusion"], found["verdicts"]) == ("better", 1)
    # What happened, of the small study: 1050 against 1045 in two days.
    assert found["actual_difference"] == pytest.approx((1050 / 1045) ** (365.25 / 2) - 1, rel=1e-9)


def test_verdict_says_how_many_samples_so_many_verdicts_need(small):
    draw(small, "sd8", 0.1, final_value=[2000.0] * 50)
    draw(small, "sd8", 0.2, final_value=[1000.0] * 50)
    build_only(small, "report_reserve_verdict")
    found = verdict(small, "sd8", "wealth")
    # The smallest p-value is 2 / 51, three times that is over 4 %; 2 / 150 x 3 is 4 %.
    assert found["conclusion"] == "undecided"
    assert found["verdict"].endswith(" So many verdicts need at least 149 bootstrap samples.")


def test_single_level_has_nothing_to_compare(small):
    draw(small, "sd8", 0.1, final_value=[2000.0] * 50)
    build_only(small, "report_reserve_verdict")
    found = verdict(small, "sd8", "wealth")
    assert (found["conclusion"], found["best_reserve"], found["verdicts"]) == ("single", None, 0)


def test_percentile_is_the_share_of_samples_below_what_happened(small):
    # What happened is 1069.5: three of ten below, one the same but for rounding.
    draw(small, "sd8", 0.1, final_value=[900.0, 1000, 1069, 1069.5 + 1e-9, 1070, 1071, 1072, 1073, 1074, 1075])
    build_only(small, "report_reserve")
    assert report(small, "sd8", 0.1)["final_value_percentile"] == pytest.approx(0.35, rel=EXACT)


def test_outdated_scenario_has_no_percentile(small):
    draw(small, "sd8", 0.1, final_value=[900.0, 1000])
    small.execute("update lake.simulation_partition set is_current = false where strategy = 'sd8'")
    build_only(small, "report_reserve")
    found = report(small, "sd8", 0.1)
    assert found["histories"] == 2
    assert found["final_value_percentile"] is None


def test_samples_longer_than_the_history_do_not_show_how_sure_a_difference_is(small):
    draw(small, "sd8", 0.1, final_value=[4000.0] * 199)
    draw(small, "sd8", 0.2, final_value=[1000.0] * 199)
    small.execute("update lake.reserve_bootstrap set years = 2")
    build_only(small, "report_reserve", "report_reserve_verdict")
    found = verdict(small, "sd8", "wealth")
    # Four times as much after two years is twice as much a year.
    assert found["difference_median"] == pytest.approx(1, rel=EXACT)
    assert (found["conclusion"], found["p_value"], found["p_value_holm"]) == ("undecided", None, None)
    assert found["verdict"].endswith("do not show how sure a difference is.")
    assert report(small, "sd8", 0.1)["final_value_percentile"] is None
