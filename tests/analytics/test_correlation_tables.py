"""Which correlations are reported when, weekly and monthly ones against pandas, and none of them with a look ahead."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sd_core.analytics.correlation_tables import correlation_tables
from sd_core.schemas.lake import CORRELATION_PAIR, CORRELATION_STATE, CORRELATION_SUMMARY

SESSIONS = 1100
TICKERS = ("BBB", "AAA", "BTC-USD")


def market(
    sessions: int = SESSIONS, tickers: tuple[str, ...] = TICKERS, gaps: float = 0.0
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return closes on weekdays, with stretches of high and of low correlation, and the classes of the assets."""
    draws = np.random.default_rng(2)
    shared = np.where(np.arange(sessions) // 180 % 2, 0.012, 0.004)[:, None]
    moves = shared * draws.normal(size=(sessions, 1)) + draws.normal(0, 0.008, (sessions, len(tickers)))
    closes = pd.DataFrame(
        30 * np.exp(np.cumsum(moves, axis=0)), index=pd.bdate_range("2015-01-01", periods=sessions), columns=tickers
    )
    closes = closes.mask(draws.random(closes.shape) < gaps)
    return closes, {ticker: "crypto" if ticker == "BTC-USD" else "stocks" for ticker in tickers}


def tables(closes: pd.DataFrame, classes: dict[str, str]) -> dict[str, pa.Table]:
    days = pa.array(closes.index.date)
    long = closes.rename_axis("session").reset_index().melt("session", var_name="ticker", value_name="close").dropna()
    prices = pa.table({"session": pa.array(long["session"].dt.date), "ticker": long["ticker"], "close": long["close"]})
    names = list(classes)
    shares = [1 / len(names)] * len(names)
    assets = pa.table({"ticker": names, "asset_class": list(classes.values()), "target_share": shares})
    return correlation_tables(pa.table({"session": days}), prices, assets)


def frames(made: dict[str, pa.Table]) -> dict[str, pd.DataFrame]:
    found = {name: table.to_pandas() for name, table in made.items()}
    for frame in found.values():
        frame["session"] = pd.to_datetime(frame["session"])
    return found


@pytest.fixture(scope="module")
def made() -> dict[str, pd.DataFrame]:
    return frames(tables(*market()))


def pairs(frame: pd.DataFrame, frequency: str, window: int | None, one: str, other: str) -> pd.Series:
    """Return the correlations of one pair and window by session; no window means the weighted ones."""
    chosen = frame[(frame["frequency"] == frequency) & (frame["ticker_a"] == one) & (frame["ticker_b"] == other)]
    same = chosen["window"].isna() if window is None else chosen["window"] == window
    return chosen[same].set_index("session")["correlation"]


def test_tables_have_the_columns_that_they_are_announced_with():
    made = tables(*market(200))
    schemas = {
        "correlation_pair": CORRELATION_PAIR.arrow_schema,
        "correlation_summary": CORRELATION_SUMMARY.arrow_schema,
        "correlation_state": CORRELATION_STATE.arrow_schema,
    }
    assert {name: table.schema for name, table in made.items()} == schemas


def test_pairs_are_named_in_the_order_of_the_alphabet(made):
    named = set(made["correlation_pair"][["ticker_a", "ticker_b"]].itertuples(index=False, name=None))
    assert named == {("AAA", "BBB"), ("AAA", "BTC-USD"), ("BBB", "BTC-USD")}


def test_middle_window_is_reported_every_session_and_the_others_at_past_month_ends(made):
    days = pd.Series(market()[0].index)
    month_ends = days.groupby(days.dt.to_period("M")).last()[:-1]
    pair = made["correlation_pair"]
    for frequency, window in (("daily", 21), ("daily", 252), ("weekly", 52), ("monthly", 36), ("daily", None)):
        reported = pairs(pair, frequency, window, "AAA", "BBB").index
        assert reported.isin(month_ends).all()
        assert reported[-1] == month_ends.iloc[-1]
        assert len(reported) == (month_ends >= reported[0]).sum()
    assert list(pairs(pair, "daily", 63, "AAA", "BBB").index) == list(days[63:])
    assert pairs(pair, "daily", 252, "AAA", "BBB").index[0] == month_ends[month_ends >= days[252]].iloc[0]


def test_more_than_twenty_assets_have_pairs_at_month_ends_and_a_daily_summary():
    closes, classes = market(130, tuple(f"T{place:02}" for place in range(21)))
    made = frames(tables(closes, classes))
    days = pd.Series(closes.index)
    month_ends = days.groupby(days.dt.to_period("M")).last()[:-1]
    assert set(made["correlation_pair"]["session"]) <= set(month_ends)
    assert list(made["correlation_summary"]["session"]) == list(days[63:])


def test_more_than_fifty_assets_have_pairs_of_the_summary_s_window_alone():
    # From the first of January to the first of July; the month ends from March on have 63 returns behind them.
    sessions = 130
    for assets, blocks, ends in ((50, {"21", "63", "ewma"}, [3, 4, 5, 6]), (51, {"63"}, [3, 6])):
        closes, classes = market(sessions, tuple(f"T{place:02}" for place in range(assets)))
        made = tables(closes, classes)
        pair = made["correlation_pair"].to_pandas()
        assert set(pair["window"].map("{:.0f}".format).where(pair["window"].notna(), pair["estimator"])) == blocks
        assert len(pair[pair["window"] == 63]) == len(ends) * assets * (assets - 1) / 2
        assert sorted(pd.to_datetime(pair[pair["window"] == 63]["session"]).dt.month.unique()) == ends
        summary = frames(made)["correlation_summary"].set_index("session")
        means = pair[pair["window"] == 63].groupby("session")["correlation"].mean()
        np.testing.assert_allclose(summary["average_correlation"][pd.to_datetime(means.index)], means, atol=1e-12)


@pytest.mark.parametrize(("frequency", "rule", "window"), [("weekly", "W-SUN", 52), ("monthly", "ME", 36)])
@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_weekly_and_monthly_correlations_are_those_of_pandas(frequency, rule, window, gaps):
    closes, classes = market(gaps=gaps)
    found = pairs(frames(tables(closes, classes))["correlation_pair"], frequency, window, "AAA", "BTC-USD")
    assert len(found) > 3
    for session, correlation in found.items():
        # Of a pair: the sessions on which both closed.
        periods = closes.loc[:session, ["AAA", "BTC-USD"]].dropna().resample(rule).last()
        next_session = closes.index[closes.index > session][0]
        # A week that goes on after the month's end is not over.
        over = periods[periods.index < next_session]
        returns = np.log(over).diff()
        assert correlation == pytest.approx(returns[-window:].corr().iloc[0, 1], abs=1e-10)


def test_weekends_of_one_asset_take_no_part_in_the_weeks_and_months_of_a_pair():
    # Bitcoin moves as the share does from Friday to Friday, and comes back by Monday from wherever it was on Sunday.
    draws = np.random.default_rng(5)
    days = pd.date_range("2015-01-01", "2018-12-31")
    share = pd.Series(20 * np.exp(np.cumsum(draws.normal(0, 0.01, len(days)))), index=days)
    weekend = days.day_of_week >= 5
    closes = pd.DataFrame({"AAA": share.mask(weekend), "BTC-USD": 300 * share})
    closes.loc[weekend, "BTC-USD"] *= np.exp(draws.normal(0, 0.2, weekend.sum()))
    found = frames(tables(closes, {"AAA": "stocks", "BTC-USD": "crypto"}))["correlation_pair"]
    for frequency, window in (("weekly", 52), ("monthly", 36)):
        correlation = pairs(found, frequency, window, "AAA", "BTC-USD")
        assert len(correlation) > 10
        np.testing.assert_allclose(correlation, 1, atol=1e-12)


def test_week_without_a_common_close_belongs_to_the_return_of_the_next():
    closes, classes = market(400)
    week = closes.index.to_period("W-SUN")
    closes.loc[week == week[200], "AAA"] = np.nan
    found = frames(tables(closes, classes))["correlation_pair"]
    weekly = found[(found["frequency"] == "weekly") & (found["ticker_a"] == "AAA") & (found["ticker_b"] == "BTC-USD")]
    [row] = weekly[weekly["session"] == pairs(found, "weekly", 52, "AAA", "BTC-USD").index[-2]].itertuples()
    both = closes[["AAA", "BTC-USD"]].dropna()
    # That week has no row here, so that the return of the next spans both: 51 returns of 52 weeks.
    last = both[: row.session].groupby(both[: row.session].index.to_period("W-SUN")).last()
    over = last[last.index.end_time < row.session + pd.offsets.BDay(1)]
    assert row.observations == 51
    assert row.correlation == pytest.approx(np.log(over).diff()[-51:].corr().iloc[0, 1], abs=1e-10)


def test_crypto_and_traditional_assets_have_averages_of_their_own(made):
    pair, summary = made["correlation_pair"], made["correlation_summary"].set_index("session")
    assert summary["average_within_crypto"].isna().all()
    traditional = pairs(pair, "daily", 63, "AAA", "BBB")
    np.testing.assert_allclose(summary["average_within_traditional"], traditional, atol=1e-12)
    across = (pairs(pair, "daily", 63, "AAA", "BTC-USD") + pairs(pair, "daily", 63, "BBB", "BTC-USD")) / 2
    np.testing.assert_allclose(summary["average_crypto_to_traditional"], across, atol=1e-12)


def test_state_of_high_correlation_is_likely_where_the_common_factor_is_strong(made):
    state = made["correlation_state"].set_index("session")["high_correlation_probability"]
    average = made["correlation_summary"].set_index("session")["average_correlation"][state.index]
    assert len(state) > 400
    assert average[state > 0.9].mean() > average[state < 0.1].mean() + 0.2


@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_later_sessions_change_no_earlier_row(gaps):
    closes, classes = market(gaps=gaps)
    # The last session that is left lies within a month, whose end is in neither.
    whole, cut = frames(tables(closes, classes)), frames(tables(closes[:-250], classes))
    for name, frame in cut.items():
        earlier = whole[name][whole[name]["session"] <= closes.index[-251]]
        assert len(frame) > 250
        pd.testing.assert_frame_equal(frame, earlier, check_exact=True)


def test_universe_of_one_asset_has_no_pairs_and_an_empty_summary():
    made = tables(*market(100, ("AAA",)))
    assert made["correlation_pair"].num_rows == 0
    summary = made["correlation_summary"].to_pandas()
    assert (summary["assets"] == 1).all()
    assert summary["average_correlation"].isna().all()


def test_market_shorter_than_the_shortest_window_has_empty_tables():
    assert all(table.num_rows == 0 for table in tables(*market(21)).values())
