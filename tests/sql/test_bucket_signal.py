"""What satellites' signals say, against their definition read out session by session, and by hand."""

import datetime as dt
import math
import statistics
from collections.abc import Iterable
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import pytest
from support.lake_tables import STUDY, bar, build_all, build_only, connect, insert

from sd_core.schemas.buckets import BUCKET_SIGNAL

COLUMNS = list(BUCKET_SIGNAL.columns)[4:]
SIGNALS = {
    "breakouts": {"signal": "breakout", "breakout_window": 30},
    "dips": {"signal": "dip", "dip_depth": 0.08},
    "steady": {"signal": "steady"},
    "catcher": {"signal": "ex_dividend"},
}

Closes = dict[str, list[float | None]]
Dividends = dict[tuple[str, int], float]


def days(sessions: int, first: str = "2001-01-01") -> list[dt.date]:
    return [day.date() for day in pd.bdate_range(first, periods=sessions)]


def signals(
    con: duckdb.DuckDBPyConnection,
    sessions: list[dt.date],
    closes: Closes,
    dividends: Dividends,
    buckets: dict[str, tuple[list[str], dict[str, object]]],
) -> pd.DataFrame:
    """Put a market and one plan into the lake, build what concerns signals, and return bucket_signal."""
    insert(con, "study", STUDY)
    con.executemany("insert into lake.sessions values (?)", [[session] for session in sessions])
    for ticker, series in closes.items():
        rows = [
            list(bar(str(session), ticker, close, dividends.get((ticker, t), 0.0)).values())
            for t, (session, close) in enumerate(zip(sessions, series, strict=True))
            if close is not None or (ticker, t) in dividends
        ]
        con.executemany("insert into lake.satellite_prices values (?, ?, ?, ?, ?, ?, ?)", rows)
    insert(con, "study_bucket", {"plan": "p", "position": 0, "bucket": "core", "target": 0.8, "tickers": []})
    for position, (name, (tickers, settings)) in enumerate(buckets.items(), start=1):
        insert(
            con,
            "study_bucket",
            {"plan": "p", "position": position, "bucket": name, "target": 0.05, "tickers": tickers, **settings},
        )
    build_only(con, "bucket_signal")
    return con.sql("from bucket_signal").df()


def random_market(sessions: int, tickers: Iterable[str], seed: int = 5) -> tuple[Closes, Dividends]:
    """Return closes with holes and a late listing, and dividends about every quarter."""
    draws = np.random.default_rng(seed)
    closes: Closes = {}
    dividends: Dividends = {}
    for number, ticker in enumerate(tickers):
        scale = np.where(np.arange(sessions) // 70 % 2, 0.03, 0.01)
        series = np.round(50 * np.exp(np.cumsum(draws.normal(0.0004, scale))), 2)
        missing = draws.random(sessions) < 0.03
        missing[: 40 * number] = True
        closes[ticker] = [None if gone else float(close) for gone, close in zip(missing, series, strict=True)]
        at = int(draws.integers(0, 60))
        while at < sessions:
            if at >= 40 * number:
                dividends[ticker, at] = round(float(series[at] * draws.uniform(0.002, 0.006)), 4)
            at += int(draws.integers(58, 68))
    return closes, dividends


class Definition:
    """The definition of the signals, read out for one satellite."""

    def __init__(self, sessions, closes, dividends, tickers, settings):
        self.sessions, self.closes, self.dividends = sessions, closes, dividends
        self.tickers, self.settings = tickers, settings

    def history(self, ticker: str, t: int) -> list[float]:
        """Return the last known closes from the first one to a session."""
        known: list[float] = []
        for close in self.closes[ticker][: t + 1]:
            if close is not None:
                known.append(close)
            elif known:
                known.append(known[-1])
        return known

    def gain(self, ticker: str, t: int, window: int) -> float | None:
        history = self.history(ticker, t)
        return history[-1] / history[-1 - window] - 1 if len(history) > window else None

    def volatility(self, ticker: str, t: int, window: int) -> float | None:
        history = self.history(ticker, t)[-window - 1 :]
        if len(history) <= window:
            return None
        return statistics.stdev(b / a - 1 for a, b in pairwise(history)) * math.sqrt(252)

    def median(self, of, t: int, window: int) -> float | None:
        known = [value for ticker in self.tickers if (value := of(ticker, t, window)) is not None]
        return statistics.median(known) if known else None

    def row(self, ticker: str, t: int) -> dict[str, object]:
        history, signal = self.history(ticker, t), self.settings["signal"]
        price, today = history[-1], self.sessions[t]
        has_bar = self.closes[ticker][t] is not None
        span = {"breakout": self.settings.get("breakout_window"), "dip": 63}.get(signal)
        highest = max(history[-span - 1 : -1]) if span and len(history) > span else None
        mean = math.fsum(history[-200:]) / 200 if len(history) >= 200 else None
        high_252 = max(history[-252:]) if len(history) >= 252 else None
        gain = {window: self.gain(ticker, t, window) for window in (21, 63, 252)}
        spread = {window: self.volatility(ticker, t, window) for window in (21, 63, 252)}
        middle_gain, middle_spread = self.median(self.gain, t, 63), self.median(self.volatility, t, 63)
        paid = [(self.sessions[i], self.dividends[ticker, i]) for i in range(t + 1) if (ticker, i) in self.dividends]
        last = paid[-1][1] if paid else None
        kept = paid[-1][1] >= paid[-2][1] >= paid[-3][1] if len(paid) >= 3 else None
        projected = None
        if len(paid) >= 3:
            gaps = [(b - a).days for (a, _), (b, _) in pairwise(paid)][-4:]
            projected = paid[-1][0] + dt.timedelta(days=math.floor(statistics.median(gaps) + 0.5))
        above = mean is not None and price > mean
        calm = None not in (spread[21], spread[252]) and spread[21] <= spread[252]
        up = {window: gain[window] is not None and gain[window] > 0 for window in gain}
        begins_month = t > 0 and self.sessions[t - 1].month != today.month
        is_exit = False
        if signal == "breakout":
            entry = highest is not None and price > highest
            confirmations = [above, up[63], gain[63] is not None and gain[63] >= middle_gain, calm]
            order = None if gain[63] is None else -gain[63]
        elif signal == "dip":
            depth = self.settings["dip_depth"]
            drop = None if highest is None else 1 - price / highest
            entry = drop is not None and price <= (1 - depth) * highest and price > history[-2]
            calm = None not in (spread[21], spread[252]) and spread[21] <= 1.5 * spread[252]
            confirmations = [above, up[252], drop is not None and drop >= 1.5 * depth, calm]
            order = None if drop is None else -drop
        elif signal == "steady":
            entry = begins_month and above and spread[63] <= middle_spread
            confirmations = [up[63], up[252], high_252 is not None and price > 0.9 * high_252, calm]
            order = spread[63]
            is_exit = begins_month and mean is not None and price <= mean
        else:
            entry = projected is not None and 3 <= (projected - today).days <= 10 and last / price >= 0.003
            confirmations = [above, bool(kept), up[21], calm]
            order = None if last is None else -last / price
        values = [
            has_bar, price, highest, mean, high_252, gain[21], gain[63], gain[252], middle_gain,
            spread[21], spread[63], spread[252], middle_spread, last, kept, projected,
            has_bar and entry, sum(confirmations) / 4, order, is_exit,
        ]  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


def same(found: object, expected: object) -> bool:
    if expected is None:
        return found is None or found is pd.NaT or found is pd.NA or (isinstance(found, float) and math.isnan(found))
    if isinstance(expected, bool):
        return bool(found) is expected
    if isinstance(expected, dt.date):
        return pd.Timestamp(found).date() == expected
    return found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("bucket", SIGNALS)
def test_every_row_is_what_the_definition_says(con, bucket):
    sessions, tickers = days(420), ["AAA", "BBB", "CCC"]
    closes, dividends = random_market(420, tickers)
    found = signals(con, sessions, closes, dividends, {bucket: (tickers, SIGNALS[bucket])})
    definition = Definition(sessions, closes, dividends, tickers, SIGNALS[bucket])
    place = {session: t for t, session in enumerate(sessions)}
    rows = found.to_dict("records")
    # From the first close of each on, also in sessions without a bar.
    assert len(rows) == sum(len(definition.history(ticker, 419)) for ticker in tickers)
    for row in rows:
        expected = definition.row(row["ticker"], place[row["session"].date()])
        different = {name: (row[name], value) for name, value in expected.items() if not same(row[name], value)}
        assert not different, (row["session"], row["ticker"])
    entries = found[found["is_entry"]]
    assert len(entries) >= 5
    assert entries["conviction"].nunique() >= 2
    assert found["is_exit"].any() == (bucket == "steady")


def test_cutting_off_the_last_year_changes_no_earlier_row():
    tickers = ["AAA", "BBB", "CCC", "DDD"]
    closes, dividends = random_market(700, tickers)
    buckets = {name: ([ticker], SIGNALS[name]) for name, ticker in zip(SIGNALS, tickers, strict=True)}
    buckets["steady"] = (["CCC", "AAA2"], SIGNALS["steady"])
    closes["AAA2"] = closes["AAA"]
    found = []
    for end in (700, 448):
        cut = {ticker: series[:end] for ticker, series in closes.items()}
        known = {(ticker, t): amount for (ticker, t), amount in dividends.items() if t < end}
        with connect() as con:
            found.append(signals(con, days(end), cut, known, buckets))
    whole, cut = found
    earlier = whole[whole["session"] <= cut["session"].max()].reset_index(drop=True)
    assert cut["volatility_252"].notna().any()
    # To the last bit.
    pd.testing.assert_frame_equal(earlier, cut, check_exact=True)


def test_a_dip_after_sixty_four_equal_closes_has_no_conviction(con):
    # The highest of 63 before is 100: 90 falls, 91 is at most 92 and above the close before. No other window is full,
    # and a drop of .09 is no 1.5 · .08.
    closes: Closes = {"AAA": [100.0] * 64 + [90.0, 91.0, 93.0]}
    found = signals(con, days(67), closes, {}, {"d": (["AAA"], SIGNALS["dips"])})
    assert found["is_entry"].tolist() == [False] * 65 + [True, False]
    row = found.iloc[65]
    assert (row["conviction"], row["highest_before"]) == (0.0, 100.0)
    assert row["entry_order"] == pytest.approx(-0.09, abs=1e-12)


def test_equal_closes_are_above_no_mean_of_theirs(con):
    # The mean of 200 times 10.1 may miss it by rounding; so may a volatility of nothing.
    closes: Closes = {"AAA": [10.1] * 300}
    found = signals(
        con, days(300), closes, {}, {"s": (["AAA"], SIGNALS["steady"]), "b": (["AAA"], SIGNALS["breakouts"])}
    )
    assert not found["is_entry"].any()
    last = found[found["session"] == found["session"].max()].set_index("bucket")
    assert last.loc["b", "conviction"] == 0.5  # the median return, and a volatility that is no higher
    # At the mean is no longer above it: the first session of each month says so, once the mean is known.
    assert found.loc[found["bucket"] == "s", "is_exit"].sum() == len({day.month for day in days(300)[199:]}) - 1


def test_a_dividend_is_projected_from_the_last_four_gaps(con):
    # Ex-dates 0, 90, 181, 272, 364 and 400 days after the first: gaps 90 91 91 92 36. After the fifth the median of 90
    # 91 91 92 is 91; after the sixth that of 91 91 92 36 is 91. The third of all is the first that projects anything.
    first = dt.date(2020, 1, 1)
    sessions = [first + dt.timedelta(days=day) for day in range(420)]
    dividends: Dividends = {("AAA", day): 0.5 for day in (0, 90, 181, 272, 364, 400)}
    found = signals(con, sessions, {"AAA": [100.0] * 420}, dividends, {"c": (["AAA"], SIGNALS["catcher"])})
    projected = [None if pd.isna(day) else (day.date() - first).days for day in found["next_ex_date"]]
    assert projected[:181] == [None] * 181
    assert set(projected[181:272]) == {181 + 91}  # ⌊(90 + 91) / 2 + .5⌋
    assert set(projected[272:364]) == {272 + 91}
    assert set(projected[364:400]) == {364 + 91}
    assert set(projected[400:]) == {400 + 91}
    # 3 to 10 days before 272 and 363, with a yield of .005; the dividend of 272 was not known before it was paid.
    assert np.flatnonzero(found["is_entry"]).tolist() == [*range(262, 270), *range(353, 361)]


def test_a_projection_does_not_look_at_the_dividend_that_comes(con):
    first = dt.date(2020, 1, 1)
    sessions = [first + dt.timedelta(days=day) for day in range(300)]
    as_projected: Dividends = {("AAA", day): 0.5 for day in (0, 90, 180, 270)}
    early: Dividends = {("AAA", day): 0.5 for day in (0, 90, 180, 268)}
    found = []
    for dividends in (as_projected, early):
        with connect() as fresh:
            found.append(
                signals(fresh, sessions, {"AAA": [100.0] * 300}, dividends, {"c": (["AAA"], SIGNALS["catcher"])})
            )
    pd.testing.assert_frame_equal(found[0][:268], found[1][:268], check_exact=True)
    assert found[0]["is_entry"][:268].sum() == 8


def test_medians_are_over_the_satellite_s_own_tickers(con):
    rising = [100 * 1.001**t for t in range(120)]
    closes: Closes = {"AAA": rising, "BBB": [100.0] * 120, "CCC": rising[::-1], "DDD": [None] * 100 + [5.0] * 20}
    found = signals(
        con,
        days(120),
        closes,
        {},
        {"b": (["AAA", "BBB", "DDD"], SIGNALS["breakouts"]), "c": (["CCC"], SIGNALS["breakouts"])},
    )
    last = found[found["session"] == found["session"].max()].set_index("ticker")
    # DDD has no return over 63 sessions: the median of two is their mean.
    assert last.loc["AAA", "median_return_63"] == pytest.approx((1.001**63 - 1) / 2, rel=1e-9)
    assert last.loc["DDD", "median_return_63"] == last.loc["AAA", "median_return_63"]
    assert last.loc["CCC", "median_return_63"] == pytest.approx(1.001**-63 - 1, rel=1e-9)


def test_nothing_is_bought_without_a_bar(con):
    closes: Closes = {"AAA": [100.0] * 40 + [120.0, None, 121.0]}
    found = signals(con, days(43), closes, {}, {"b": (["AAA"], SIGNALS["breakouts"])})
    assert found["is_entry"].tolist()[-3:] == [True, False, True]
    assert found["close"].tolist()[-3:] == [120.0, 120.0, 121.0]


def test_a_study_without_plans_has_no_signals(small):
    build_all(small)
    assert small.sql("from bucket_signal").fetchall() == []
