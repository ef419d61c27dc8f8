"""The drift of bootstrap samples: centred on the history's growth, and uncertain, against closed forms."""

import numpy as np
import pytest
from scipy.stats import norm
from support.generators import panel_of, random_case

from sd_core.market.panel import Panel
from sd_core.resampling.drift import centring, draw_samples, drift_errors
from sd_core.resampling.histories import Drawn, Relatives

SESSIONS = 250


def independent(drifts: np.ndarray, spread: float, seed: int) -> Panel:
    """Return closes of assets with independent normal log returns whose means are exactly the drifts given."""
    logs = np.random.default_rng(seed).normal(0.0, spread, (SESSIONS, len(drifts)))
    logs += drifts - logs.mean(axis=0)
    closes = 100 * np.exp(np.vstack([np.zeros(len(drifts)), logs.cumsum(axis=0)]))
    return panel_of(*closes.T)


def equal(assets: int) -> np.ndarray:
    return np.full(assets, 1 / assets)


def samples(relatives: Relatives, histories: int, seed: int = 1, **options: object) -> list[Drawn]:
    return list(draw_samples(relatives, 1.0, histories, seed, **options))


@pytest.mark.parametrize("seed", range(3))
def test_median_of_what_is_held_is_what_was_held(seed):
    drifts = np.random.default_rng(seed).normal(0.0, 0.003, 8)
    panel = independent(drifts, 0.02, seed)
    weights = np.arange(1, 9) / 36
    relatives = Relatives.of(panel)
    found = [
        (relatives.history(sample).close[-1] / panel.close[0]) @ weights
        for sample in samples(relatives, 101, centred_at=weights)
    ]
    assert np.median(found) == pytest.approx((panel.close[-1] / panel.close[0]) @ weights, rel=1e-9)


def test_many_equal_assets_are_moved_by_half_of_their_variance():
    # Of many assets the mean growth is what counts, and that of a lognormal one is exp(variance / 2).
    relatives = Relatives.of(independent(np.zeros(400), 0.02, seed=1))
    centre = centring(relatives, equal(400), samples(relatives, 400))
    np.testing.assert_allclose(centre, centre[0], rtol=1e-9)
    assert centre[0] == pytest.approx(-(0.02**2) / 2, rel=0.05)


def test_assets_differ_less_by_the_share_of_their_differences_that_is_luck():
    # The log growth of assets has the variance 0.2 in the history, to which the samples add 250 x 0.02^2 = 0.1: the
    # drifts may keep the variance 0.1, which is sqrt(1 / 2) of each distance from the mean.
    growth = norm.ppf((np.arange(400) + 0.5) / 400) * np.sqrt(0.2)
    relatives = Relatives.of(independent(growth / SESSIONS, 0.02, seed=2))
    centre = centring(relatives, equal(400), samples(relatives, 400))
    moved = -np.polyfit(growth / SESSIONS, centre, 1)[0]
    assert moved == pytest.approx(1 - np.sqrt(1 / 2), abs=0.03)
    # Nothing but the distances had to be moved.
    assert centre.mean() == pytest.approx(0.0, abs=1e-6)


def test_single_asset_is_hardly_moved():
    # A sum of independent returns has its median at its mean.
    relatives = Relatives.of(independent(np.array([0.001]), 0.02, seed=3))
    [centre] = centring(relatives, np.ones(1), samples(relatives, 2_000))
    # The standard error of the median of 2 000 sums, by session: 1.25 x 0.02 x sqrt(250) / sqrt(2 000) / 250.
    assert abs(centre) < 3 * 1.25 * 0.02 / np.sqrt(250 * 2_000)


def test_samples_of_more_years_grow_by_the_year_as_the_history_did():
    panel = independent(np.array([0.001, 0.002, -0.001]), 0.01, seed=4)
    relatives, weights = Relatives.of(panel, years=3), equal(3)
    drawn = draw_samples(relatives, 1.0, 51, 1, centred_at=weights)
    found = np.median([(relatives.history(one).close[-1] / panel.close[0]) @ weights for one in drawn])
    was = (panel.close[-1] / panel.close[0]) @ weights
    assert np.log(found) / (len(relatives.sessions) - 1) == pytest.approx(np.log(was) / SESSIONS, rel=1e-9)


def test_drifts_are_as_uncertain_as_a_mean_of_so_many_returns():
    panel = independent(np.array([0.001, -0.002]), 0.02, seed=5)
    errors = np.array(list(drift_errors(Relatives.of(panel), 1.0, 4_000, seed=1)))
    # Variance of the mean of independent returns; assets that move together err together.
    expected = np.cov(np.diff(np.log(panel.close), axis=0).T, bias=True) / SESSIONS
    np.testing.assert_allclose(np.cov(errors.T), expected, atol=0.05 * expected[0, 0])
    np.testing.assert_allclose(errors.mean(axis=0), 0, atol=4 * np.sqrt(expected[0, 0] / 4_000))


def test_uncertain_drift_doubles_the_variance_of_growth():
    panel = independent(np.zeros(1), 0.02, seed=6)
    relatives = Relatives.of(panel)

    def variance(**options: object) -> float:
        drawn = samples(relatives, 1_000, **options)
        return float(np.var([np.log(relatives.history(one).close[-1, 0]) for one in drawn]))

    assert variance() == pytest.approx(SESSIONS * np.diff(np.log(panel.close[:, 0])).var(), rel=0.15)
    assert variance(parameter_uncertainty=True) == pytest.approx(2 * variance(), rel=0.2)


@pytest.mark.parametrize("seed", range(10))
def test_drift_multiplies_whole_bars_and_their_dividends(seed):
    panel = random_case(seed).panel
    sessions = np.random.default_rng(seed).integers(1, len(panel.sessions), size=len(panel.sessions) - 1)
    relatives = Relatives.of(panel)
    drift = np.random.default_rng(seed).normal(0, 0.01, len(panel.tickers))
    plain, drifted = relatives.history(Drawn(sessions)), relatives.history(Drawn(sessions, drift))
    bars = np.cumsum(~np.isnan(plain.close[1:]), axis=0)
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(
            getattr(drifted, name)[1:], getattr(plain, name)[1:] * np.exp(drift * bars), rtol=1e-10, err_msg=name
        )
    for name in ("rates", "price_index"):
        np.testing.assert_array_equal(getattr(drifted, name), getattr(plain, name))


def test_sessions_are_the_same_whatever_their_drift():
    relatives = Relatives.of(independent(np.zeros(2), 0.02, seed=7))
    plain = samples(relatives, 5)
    for options in ({"parameter_uncertainty": True}, {"centred_at": equal(2)}):
        for one, other in zip(plain, samples(relatives, 5, **options), strict=True):
            np.testing.assert_array_equal(one.sessions, other.sessions)
            assert one.drift is None
            assert other.drift is not None
