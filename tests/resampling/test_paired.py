"""How sure paired differences are: against indices resampled one by one, against arch, and where nothing differs."""

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from scipy.stats import t

from sd_core.metrics.measures import Calendar
from sd_core.resampling.paired import SAMPLES, draw_blocks, mean_block, paired_certainty

DAYS, PERIODS = 1_461.0, 252


def calendar(cash: np.ndarray) -> Calendar:
    return Calendar(cash, np.arange(len(cash)), np.zeros(len(cash), np.int64), DAYS, PERIODS)


def pair(seed: int, sessions: int = 1_001, gap: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return two portfolios of one market, the first with more return by a gap a session, and what cash earned."""
    draws = np.random.default_rng(seed)
    market, *own = draws.normal(0.0004, [[0.01], [0.003], [0.003]], (3, sessions))
    return market + own[0] + gap, market + own[1], np.full(sessions, 0.0001)


def measures(returns: np.ndarray, cash: np.ndarray) -> tuple[float, float]:
    excess = returns - cash
    return np.prod(1 + returns) ** (365.25 / DAYS) - 1, excess.mean() / excess.std(ddof=1) * np.sqrt(PERIODS)


def test_samples_are_blocks_that_run_on_past_the_end() -> None:
    blocks = draw_blocks(1_000)
    lengths = np.add.reduceat(blocks.lengths, blocks.samples[:-1])
    np.testing.assert_array_equal(lengths, np.full(SAMPLES, 1_000))
    assert (blocks.lengths >= 1).all()
    assert 0 <= blocks.begins.min() < 10
    assert 990 < blocks.begins.max() < 1_000
    # A block ends with probability 1 / 31.6 at each of 999 steps, and one at the end: 32.6 blocks, give or take 0.13.
    assert len(blocks.lengths) / SAMPLES == pytest.approx(1 + 999 / mean_block(1_000), abs=0.6)


def test_intervals_and_p_values_are_those_of_samples_taken_session_by_session() -> None:
    own, rival, cash = pair(1, sessions=301)
    blocks = draw_blocks(300)
    differences = []
    for first, last in zip(blocks.samples[:-1], blocks.samples[1:], strict=True):
        runs = zip(blocks.begins[first:last], blocks.lengths[first:last], strict=True)
        later = np.concatenate([np.arange(begin, begin + length) % 300 for begin, length in runs]) + 1
        taken = np.append(0, later)
        differences.append(np.subtract(measures(own[taken], cash[taken]), measures(rival[taken], cash[taken])))
    low, high = np.percentile(differences, [2.5, 97.5], axis=0)
    actual = np.subtract(measures(own, cash), measures(rival, cash))
    p_values = 2 * t.sf(np.abs(actual) / np.std(differences, axis=0, ddof=1), df=np.sqrt(301) - 1)
    (found,) = paired_certainty(own, [rival], calendar(cash))
    expected = [low[0], high[0], p_values[0], low[1], high[1], p_values[1]]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_intervals_are_those_of_arch_but_for_the_luck_of_sampling() -> None:
    own, rival, cash = pair(2, gap=0.0002)
    bootstrap = StationaryBootstrap(mean_block(1_000), own[1:], rival[1:], cash[1:], seed=np.random.default_rng(5))

    def differences(one: np.ndarray, other: np.ndarray, earned: np.ndarray) -> np.ndarray:
        first, second, at_rest = (
            np.append(whole[0], part) for whole, part in zip((own, rival, cash), (one, other, earned), strict=True)
        )
        return np.subtract(measures(first, at_rest), measures(second, at_rest))

    (cagr_low, sharpe_low), (cagr_high, sharpe_high) = bootstrap.conf_int(
        differences, reps=4_000, method="percentile", size=0.95
    )
    (found,) = paired_certainty(own, [rival], calendar(cash))
    # An end of 2000 samples has a standard error of about 1.5 % of the interval's width.
    assert found.cagr_low == pytest.approx(cagr_low, abs=0.06 * (cagr_high - cagr_low))
    assert found.cagr_high == pytest.approx(cagr_high, abs=0.06 * (cagr_high - cagr_low))
    assert found.sharpe_low == pytest.approx(sharpe_low, abs=0.06 * (sharpe_high - sharpe_low))
    assert found.sharpe_high == pytest.approx(sharpe_high, abs=0.06 * (sharpe_high - sharpe_low))


def test_portfolios_that_are_the_same_differ_by_nothing() -> None:
    own, _, cash = pair(3)
    (found,) = paired_certainty(own, [own.copy()], calendar(cash))
    assert found == (0.0, 0.0, 1.0, 0.0, 0.0, 1.0)


def test_ratio_without_spread_has_no_interval() -> None:
    cash = np.full(301, 0.0001)
    (found,) = paired_certainty(pair(4, 301)[0], [cash.copy()], calendar(cash))
    assert np.isfinite([found.cagr_low, found.cagr_high]).all()
    assert np.isnan([found.sharpe_low, found.sharpe_high, found.sharpe_p_value]).all()
    assert 0 < found.cagr_p_value < 1


@pytest.mark.parametrize("measure", ["cagr", "sharpe"])
def test_portfolios_that_only_luck_distinguishes_are_seldom_significant(measure: str) -> None:
    claims = 0
    for seed in range(300):
        own, rival, cash = pair(100 + seed)
        (found,) = paired_certainty(own, [rival], calendar(cash))
        claims += getattr(found, f"{measure}_p_value") <= 0.04
    # One in twenty-five are expected, give or take 1.1 points.
    assert 0.01 <= claims / 300 <= 0.06


def test_difference_that_lasts_is_significant() -> None:
    own, rival, cash = pair(5, gap=0.001)
    (found,) = paired_certainty(own, [rival], calendar(cash))
    assert found.cagr_low > 0
    assert found.sharpe_low > 0
    # So sure that a count of 2000 samples could not say it, nor a correction for a hundred verdicts undo it.
    assert max(found.cagr_p_value, found.sharpe_p_value) < 1e-4
