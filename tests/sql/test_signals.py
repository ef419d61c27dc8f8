"""Signals and what they predicted: against their definitions read out with numpy, pandas, scipy and statsmodels."""

import math
import statistics
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from support.lake_tables import SQL
from support.signal_market import CLASSES, KINDS, PARTS, Market, draw_market, month_ends, signals_of

from pipelines.warehouse.models import read_macros
from sd_core.schemas.signals import HORIZONS

MARKET = draw_market(1000, 8)
TABLES = ("signal", "signal_ic", "signal_weight", "forward_return", "signal_input", "report_signal")


@pytest.fixture(scope="module")
def built() -> dict[str, pd.DataFrame]:
    with signals_of(MARKET, *TABLES) as con:
        return {name: con.sql(f"from {name}").df() for name in (*TABLES, "lake.spillover_pair")}


class Definition:
    """The definitions of docs/signals.md, read out for one market."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.price = pd.DataFrame(market.close).ffill().to_numpy()
        growth = (self.price[1:] + market.dividend[1:]) / self.price[:-1]
        self.returns = np.vstack([np.full(growth.shape[1], np.nan), growth - 1])
        self.level = np.vstack([np.ones(growth.shape[1]), np.cumprod(growth, axis=0)])
        self.cash = np.cumprod(1 + market.cash)

    def is_investable(self, t: int, asset: int) -> bool:
        if t < 252:
            return False
        bars = ~np.isnan(self.market.close[t - 251 : t + 1, asset])
        moved = (self.returns[t - 251 : t + 1, asset] != 0) & bars
        return bool(bars[-1] and bars.mean() >= 0.9 and moved.sum() >= 0.5 * bars.sum())

    def gain(self, t: int, asset: int, window: int) -> float | None:
        return self.level[t, asset] / self.level[t - window, asset] - 1 if t >= window else None

    def momentum(self, t: int, asset: int) -> float | None:
        return self.level[t - 21, asset] / self.level[t - 252, asset] - 1 if t >= 252 else None

    def sector(self, t: int, asset: int) -> float | None:
        peers = [
            other
            for other in range(len(self.market.tickers))
            if CLASSES[(other + 1) % 3] == CLASSES[(asset + 1) % 3] and self.is_investable(t, other)
        ]
        return math.fsum(self.momentum(t, other) for other in peers) / len(peers) if peers else None

    def volatility(self, t: int, asset: int) -> float | None:
        return statistics.stdev(self.returns[t - 251 : t + 1, asset]) * math.sqrt(252) if t >= 252 else None

    def trend(self, t: int, asset: int) -> float | None:
        if t < 252:
            return None
        return (self.gain(t, asset, 252) - (self.cash[t] / self.cash[t - 252] - 1)) / self.volatility(t, asset)

    def reversal(self, t: int, asset: int) -> float | None:
        return -self.gain(t, asset, 21) if t >= 21 else None

    def mean_reversion(self, t: int, asset: int) -> float | None:
        logs = np.log(self.level[t - 62 : t + 1, asset])
        return -(logs[-1] - logs.mean()) / logs.std(ddof=1) if t >= 252 else None

    def relative_strength(self, t: int, asset: int) -> float | None:
        benchmark = self.level.mean(axis=1)
        own = self.level[t, asset] / self.level[t - 126, asset]
        return own / (benchmark[t] / benchmark[t - 126]) - 1 if t >= 126 else None

    def low_volatility(self, t: int, asset: int) -> float | None:
        return -self.volatility(t, asset) if t >= 252 else None

    def discount(self, t: int, asset: int) -> float | None:
        return 1 - self.price[t, asset] / self.price[: t + 1, asset].max()

    def ex_dividend(self, t: int, asset: int) -> float | None:
        paid = [self.market.sessions[place] for place in np.flatnonzero(self.market.dividend[: t + 1, asset])]
        if len(paid) < 3:
            return None
        gap = statistics.median([(b - a).days for a, b in pairwise(paid)][-8:])
        return -((paid[-1] - self.market.sessions[t]).days + gap) / gap

    def file(self, t: int, asset: int) -> float | None:
        return self.market.said[t // 10 * 10, asset]


def of(frame: pd.DataFrame, signal: str, column: str = "value") -> pd.DataFrame:
    """Return a column of a signal by session and ticker."""
    return frame[frame["signal"] == signal].pivot(index="session", columns="ticker", values=column)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "spillover"])
def test_every_value_is_what_the_definition_says(built, kind):
    definition = Definition(MARKET)
    found = of(built["signal"], kind)
    assert list(found.index) == [MARKET.sessions[t] for t in month_ends(MARKET)]
    expected = np.array(
        [[getattr(definition, kind)(t, asset) for asset in range(len(MARKET.tickers))] for t in month_ends(MARKET)],
        dtype=float,
    )
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=1e-8, atol=1e-10)
    assert np.isfinite(expected).sum() > 100


def test_spillover_adds_what_proven_leaders_say(built):
    pairs, found = built["lake.spillover_pair"], of(built["signal"], "spillover")
    assert len(pairs) > 20
    # The market is drawn so that the first asset leads the second.
    assert (pairs[["leader", "follower"]].value_counts().index[0]) == ("T00", "T01")
    for (session, follower), group in pairs.groupby(["session", "follower"]):
        said = (group["slope"] * group["leader_return"]).sum()
        assert found.loc[session, follower] == pytest.approx(said, rel=1e-12)
    proven = set(zip(pairs["session"], pairs["follower"], strict=True))
    for t in month_ends(MARKET):
        row = found.loc[MARKET.sessions[t]]
        if t < 520:
            assert row.isna().all()
        else:
            quiet = [ticker for ticker in MARKET.tickers if (MARKET.sessions[t], ticker) not in proven]
            assert (row[quiet] == 0.0).all()


def test_percentile_and_z_are_of_investable_assets(built):
    definition = Definition(MARKET)
    signal = built["signal"]
    seen = 0
    for name in ("momentum", "sector", "ex_dividend", "both"):
        values, percentiles, scores = (of(signal, name, column) for column in ("value", "percentile", "z"))
        for t in month_ends(MARKET):
            session = MARKET.sessions[t]
            known = values.loc[session].to_numpy()
            held = np.array([definition.is_investable(t, asset) for asset in range(len(known))]) & ~np.isnan(known)
            assert (percentiles.loc[session].notna().to_numpy() == held).all()
            if held.any():
                ranks = stats.rankdata(known[held])
                np.testing.assert_allclose(percentiles.loc[session][held], (ranks - 0.5) / held.sum(), atol=1e-12)
            if held.sum() >= 5:
                z = np.clip(stats.zscore(known[held], ddof=1), -3, 3)
                np.testing.assert_allclose(scores.loc[session][held], z, atol=1e-8)
                seen += 1
            else:
                assert scores.loc[session].isna().all()
    assert seen > 60


def test_equal_values_are_no_opinion(built):
    spillover = built["signal"].query("signal == 'spillover' and z.notna()")
    alike = spillover.groupby("session")["value"].transform("nunique") == 1
    assert alike.any()
    assert (spillover.loc[alike, "z"] == 0.0).all()


def test_forward_returns_begin_at_the_close_after_the_decision(built):
    definition = Definition(MARKET)
    found = built["forward_return"].set_index(["session", "ticker", "horizon"])
    for t in month_ends(MARKET):
        for asset, ticker in enumerate(MARKET.tickers):
            for horizon in HORIZONS:
                row = found.loc[(MARKET.sessions[t], ticker, horizon)]
                last = t + 1 + horizon
                if last >= len(MARKET.sessions):
                    assert row.isna().all()
                    continue
                assert row["ended_session"] == MARKET.sessions[last]
                cash = definition.cash[last] / definition.cash[t + 1] - 1
                assert row["cash_return"] == pytest.approx(cash, rel=1e-9)
                if np.isnan(MARKET.close[t + 1, asset]):
                    assert np.isnan(row["simple_return"])
                else:
                    grown = definition.level[last, asset] / definition.level[t + 1, asset] - 1
                    assert row["simple_return"] == pytest.approx(grown, rel=1e-8, abs=1e-11)


def test_coefficients_are_spearmans_and_spreads_those_of_thirds(built):
    followed = built["forward_return"]
    joined = built["signal"].merge(followed, on=["session", "ticker"]).dropna(subset=["z", "simple_return"])
    expected = {}
    for key, group in joined.groupby(["session", "signal", "horizon"]):
        if len(group) >= 5 and group["value"].nunique() > 1:
            ranks = stats.rankdata(group["value"])
            top, bottom = ranks >= len(group) + 1 - len(group) / 3, ranks <= len(group) / 3
            returns = group["simple_return"]
            spread = returns[top].mean() - returns[bottom].mean()
            expected[key] = (stats.spearmanr(group["value"], returns).statistic, spread)
    found = built["signal_ic"].set_index(["session", "signal", "horizon"])
    assert set(found.index[found["coefficient"].notna()]) == set(expected)
    assert len(expected) > 1000
    for key, (coefficient, spread) in expected.items():
        assert found.loc[key, "coefficient"] == pytest.approx(coefficient, abs=1e-9)
        assert found.loc[key, "spread"] == pytest.approx(spread, abs=1e-12, nan_ok=True)
    ends = followed.groupby(["session", "horizon"])["ended_session"].first()
    assert (found["ended_session"].fillna(pd.Timestamp(0)) == [
        ends.fillna(pd.Timestamp(0))[session, horizon] for session, _, horizon in found.index
    ]).all()  # fmt: skip


def test_perfect_order_of_however_many_assets_correlates_with_one_and_no_more(con):
    con.execute(read_macros(SQL))
    found = con.sql(
        """
        select rank_correlation(2 * place, 2 * place), rank_correlation(2 * place, 2 * (assets + 1 - place))
        from range(5, 200) as counts(assets), unnest(range(1, assets + 1)) as places(place)
        group by assets
        """
    ).fetchnumpy()
    same, opposed = found.values()
    assert len(same) == 195
    assert same == pytest.approx(1, abs=1e-12)
    assert opposed == pytest.approx(-1, abs=1e-12)
    assert same.max() <= 1
    assert opposed.min() >= -1


def test_t_is_that_of_newey_and_west(built):
    # statsmodels: a regression on a constant with HAC errors, uncorrected.
    report = built["report_signal"].set_index(["signal", "horizon"])
    assert report["t_statistic"].notna().sum() > 40
    coefficients = built["signal_ic"].sort_values("session").groupby(["signal", "horizon"])
    for (signal, horizon), row in report.iterrows():
        rows = coefficients.get_group((signal, horizon))
        known = rows["coefficient"].dropna().to_numpy()
        assert row["decisions"] == len(known)
        lags = max(3, math.ceil(horizon / 21))
        assert row["lags"] == lags
        if len(known) < 24:
            assert np.isnan(row["t_statistic"])
            assert row["verdict"] == "cannot tell"
            continue
        fitted = sm.OLS(known, np.ones(len(known))).fit(
            cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
        )
        assert row["t_statistic"] == pytest.approx(fitted.tvalues[0], rel=1e-9)
        assert row["mean_coefficient"] == pytest.approx(known.mean(), abs=1e-12)
        assert row["hit_rate"] == pytest.approx((known > 0).mean())
        assert row["verdict"] == ("predicts" if abs(fitted.tvalues[0]) >= 3 else "cannot tell")
        spreads = rows["spread"].dropna().to_numpy()
        if len(spreads) >= 24:
            fitted = sm.OLS(spreads, np.ones(len(spreads))).fit(
                cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
            )
            assert row["spread_t_statistic"] == pytest.approx(fitted.tvalues[0], rel=1e-9)


def test_turnover_and_half_life_follow_percentiles(built):
    report = built["report_signal"].set_index(["signal", "horizon"])
    for name in ("momentum", "reversal", "file"):
        placed = of(built["signal"], name, "percentile").to_numpy()
        changes, correlations = [], []
        for before, now in pairwise(placed):
            both = ~np.isnan(before) & ~np.isnan(now)
            if both.any():
                changes.append(np.abs(now - before)[both].mean())
                correlations.append(np.corrcoef(before[both], now[both])[0, 1])
        row = report.loc[(name, 21)]
        assert row["rank_turnover"] == pytest.approx(np.mean(changes))
        kept = np.mean(correlations)
        if kept > 0:
            assert row["half_life"] == pytest.approx(math.log(0.5) / math.log(kept))
        else:
            assert np.isnan(row["half_life"])


def test_blends_take_fixed_weights_or_what_parts_predicted(built):
    weights = built["signal_weight"]
    fixed = weights[weights["signal"] == "both"]
    assert dict(fixed.groupby("part")["weight"].unique().str[0]) == PARTS["both"]
    scores = {part: of(built["signal"], part, "z") for part in ("momentum", "trend")}
    mixed = 0.5 * scores["momentum"] - 0.25 * scores["trend"]
    pd.testing.assert_frame_equal(of(built["signal"], "both"), mixed, check_names=False)
    coefficients = built["signal_ic"].query("horizon == 21").dropna(subset=["coefficient"])
    seen = 0
    for session, group in weights[weights["signal"] == "learnt"].groupby("session"):
        ratios = {}
        for part in PARTS["learnt"]:
            ended = coefficients[(coefficients["signal"] == part) & (coefficients["ended_session"] <= session)]
            known = ended.sort_values("session")["coefficient"].to_numpy()[-36:]
            ratios[part] = max(known.mean() / known.std(ddof=1), 0.0) if len(known) >= 24 else 0.0
        total = sum(ratios.values())
        for row in group.itertuples():
            expected = ratios[row.part] / total if total else math.nan
            assert row.weight == pytest.approx(expected, rel=1e-9, nan_ok=True)
        seen += total > 0
    assert seen > 0


@pytest.mark.parametrize(("benchmark", "other"), [("universe", "cut"), ("universe", "noise"), ("T04", "cut")])
def test_nothing_depends_on_what_comes_later(benchmark, other):
    ends = month_ends(MARKET)
    with signals_of(MARKET, "signal", "signal_ic", benchmark=benchmark) as con:
        whole = _tables(con)
    for place in (ends[30], ends[42]):
        # The session after it, so that the month is known to be over.
        past = MARKET.until(place + 2) if other == "cut" else MARKET.with_noise_after(place + 1, seed=place)
        with signals_of(past, "signal", "signal_ic", benchmark=benchmark) as con:
            found = _tables(con)
        last = MARKET.sessions[place]
        for name, column in (("signal", "session"), ("signal_weight", "session"), ("signal_ic", "ended_session")):
            before, now = (frame[frame[column] <= last].reset_index(drop=True) for frame in (whole[name], found[name]))
            assert len(before) > 0
            # To the last bit.
            pd.testing.assert_frame_equal(before, now, check_exact=True)


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, pd.DataFrame]:
    return {name: con.sql(f"from {name} order by all").df() for name in ("signal", "signal_weight", "signal_ic")}


def test_study_without_signals_has_empty_tables():
    with signals_of(MARKET.until(300), *TABLES, signals=[]) as con:
        assert [con.sql(f"select count(*) from {name}").fetchall()[0][0] for name in TABLES] == [0] * len(TABLES)


def test_planted_signal_predicts_and_noise_does_not():
    # A rank correlation of about 0.15 over 120 months of 20 assets, fifty times, beside fifty signals of noise.
    market = draw_market(252 + 120 * 22, 20, seed=11)
    price = pd.DataFrame(market.close).ffill().to_numpy()
    draws = np.random.default_rng(1)
    ends = [t for t in month_ends(market) if t + 22 < len(price)]
    followed = np.array([stats.zscore(price[t + 22] / price[t + 1]) for t in ends])
    said = draws.normal(size=(100, *followed.shape))
    said[:50] += 0.16 * followed
    signal, decision, asset = (places.ravel() for places in np.indices(said.shape))
    rows = pd.DataFrame(
        {
            "signal": np.char.add("s", signal.astype(str)),
            "date": market.sessions[np.array(ends)[decision]],
            "ticker": np.array(market.tickers)[asset],
            "value": said.ravel(),
        }
    )
    asked = [{"position": n + 1, "signal": f"s{n}", "kind": "file", "keys": "{}"} for n in range(100)]
    with signals_of(market, "report_signal", signals=asked, extra={"signal_file": rows}) as con:
        report = con.sql("from report_signal where horizon = 21").df().set_index("signal")
    planted, noise = ([f"s{n}" for n in numbers] for numbers in (range(50), range(50, 100)))
    assert report.loc[planted, "mean_coefficient"].mean() == pytest.approx(0.15, abs=0.03)
    assert (report.loc[planted, "verdict"] == "predicts").sum() >= 45
    assert (report.loc[noise, "verdict"] == "predicts").sum() <= 2
