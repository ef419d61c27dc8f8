"""Boosted trees on signals: against scikit-learn asked directly, without a look ahead, and the same on any threads."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from sd_core.analytics.boosted import Panel, boosted_returns, known_returns

TICKERS = tuple(f"T{asset}" for asset in range(8))


def drawn(decisions: int = 66, seed: int = 4) -> Panel:
    """Return a panel whose labels follow the first feature, nonlinearly, with a horizon of one decision and a day."""
    draws = np.random.default_rng(seed)
    features = draws.normal(size=(decisions, len(TICKERS), 3))
    features[draws.random(features.shape) < 0.05] = np.nan
    features[5, 2] = np.nan
    labels = 0.02 * np.where(np.nan_to_num(features[:, :, 0]) > 0.5, 1.0, -0.2) + draws.normal(
        0, 0.05, features.shape[:2]
    )
    sessions = pd.date_range("2001-01-31", periods=decisions, freq="BME")
    ended = (sessions + pd.offsets.BDay(25)).to_numpy().astype("datetime64[D]")
    last = sessions[-1].to_datetime64().astype("datetime64[D]")
    labels[ended > last] = np.nan
    ended[ended > last] = np.datetime64("NaT")
    return Panel(sessions.to_numpy().astype("datetime64[D]"), TICKERS, features, labels, ended)


def cut(panel: Panel, count: int) -> Panel:
    last = panel.sessions[count - 1]
    ended = panel.ended[:count].copy()
    labels = panel.labels[:count].copy()
    labels[~(ended <= last)] = np.nan
    ended[~(ended <= last)] = np.datetime64("NaT")
    return Panel(panel.sessions[:count], TICKERS, panel.features[:count], labels, ended)


def test_trees_are_fitted_each_january_to_what_has_ended():
    panel = drawn()
    found = boosted_returns(panel, "v").to_pandas()
    # Two Januaries have fewer than 24 decisions whose month has ended.
    assert sorted({day.year for day in found["fitted_session"]}) == [2004, 2005, 2006]
    assert {day.month for day in found["fitted_session"]} == {1}
    start = int(np.flatnonzero(panel.sessions == np.datetime64("2005-01-31"))[0])
    known = (panel.ended <= panel.sessions[start])[:, None] & ~np.isnan(panel.features).all(axis=2)
    assert known.any(axis=1).sum() == 47  # of 49 decisions those of December and January have not ended
    trees = HistGradientBoostingRegressor(max_iter=100, max_depth=3, random_state=0, early_stopping=False)
    with threadpool_limits(1):
        trees.fit(panel.features[known], panel.labels[known])
        expected = trees.predict(panel.features[start : start + 12].reshape(-1, 3))
    year = found[found["fitted_session"] == pd.Timestamp("2005-01-31").date()]
    assert len(year) == 12 * 8
    assert year["value"].tolist() == expected.tolist()
    assert set(year["rows"]) == {known.sum()}


def test_nothing_depends_on_what_comes_later():
    panel = drawn()
    whole = boosted_returns(panel, "v").to_pandas()
    for count in (40, 53, 60):
        past = boosted_returns(cut(panel, count), "v").to_pandas()
        earlier = whole[whole["session"] <= past["session"].max()]
        assert len(past) > 0
        assert earlier["value"].tolist() == past["value"].tolist()


def test_years_of_which_nothing_has_changed_are_taken_over(monkeypatch):
    panel = drawn()
    before = boosted_returns(cut(panel, 64), "v")
    fits = []
    fit = HistGradientBoostingRegressor.fit
    monkeypatch.setattr(HistGradientBoostingRegressor, "fit", lambda *given: (fits.append(1), fit(*given))[1])
    again = boosted_returns(panel, "v", known_returns(before))
    assert len(fits) == 1  # the year to which decisions were added
    assert again.equals(boosted_returns(panel, "v"))
    fits.clear()
    boosted_returns(panel, "other", known_returns(before))
    assert len(fits) == 3


def test_asset_without_any_signal_is_expected_nothing_of():
    panel = drawn()
    panel.features[50, 3] = np.nan
    found = boosted_returns(panel, "v").to_pandas()
    assert "T3" not in set(found.loc[found["session"] == panel.sessions[50].item(), "ticker"])


def test_signals_that_say_nothing_or_the_same_are_left_out():
    panel = drawn()
    silent = np.full((*panel.labels.shape, 1), np.nan)
    alike = np.zeros_like(silent)
    more = panel._replace(features=np.concatenate([silent, panel.features, alike], axis=2))
    found = boosted_returns(more, "v").to_pandas()
    # An asset with nothing but a 0 has no opinion of its own.
    found = found[(found["session"] != panel.sessions[5].item()) | (found["ticker"] != "T2")]
    assert found["value"].tolist() == boosted_returns(panel, "v")["value"].to_pylist()
    nothing = panel._replace(features=np.concatenate([silent, alike], axis=2))
    assert boosted_returns(nothing, "v").num_rows == 0


def test_threads_change_no_byte():
    panel = drawn(40)
    found = []
    for number in (1, 2):
        with threadpool_limits(number):
            found.append(boosted_returns(panel, "v"))
    assert found[0].equals(found[1])
