"""Intervals of paired differences: against indices resampled one by one, against arch, and where nothing differs."""

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap

from sd_core.metrics.outcome import Calendar
from sd_core.resampling.paired import SAMPLES, draw_blocks, mean_block, paired_intervals

DAYS, PERIODS = 1_461.0, 252


def calendar(cash: np.ndarray) -> Calendar:
    return Calendar(cash, np.zeros(len(cash), np.int64), DAYS, PERIODS)


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


def test_intervals_are_percentiles_of_samples_taken_session_by_session() -> None:
    own, rival, cash = pair(1, sessions=301)
    blocks = draw_blocks(300)
    differences = []
    for first, last in zip(blocks.samples[:-1], blocks.samples[1:], strict=True):
        runs = zip(blocks.begins[first:last], blocks.lengths[first:last], strict=True)
        later = np.concatenate([np.arange(begin, begin + length) % 300 for begin, length in runs]) + 1
        taken = np.append(0, later)
        differences.append(np.subtract(measures(own[taken], cash[taken]), measures(rival[taken], cash[taken])))
    low, high = np.percentile(differences, [2.5, 97.5], axis=0)
    (found,) = paired_intervals(own, [rival], calendar(cash))
    np.testing.assert_allclose(found, [low[0], high[0], low[1], high[1]], rtol=1e-9)


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
    (found,) = paired_intervals(own, [rival], calendar(cash))
    # An end of 2000 samples has a standard error of about 1.5 % of the interval's width.
    assert found.cagr_low == pytest.approx(cagr_low, abs=0.06 * (cagr_high - cagr_low))
    assert found.cagr_high == pytest.approx(cagr_high, abs=0.06 * (cagr_high - cagr_low))
    assert found.sharpe_low == pytest.approx(sharpe_low, abs=0.06 * (sharpe_high - sharpe_low))
    assert found.sharpe_high == pytest.approx(sharpe_high, abs=0.06 * (sharpe_high - sharpe_low))


def test_portfolios_that_are_the_same_differ_by_nothing() -> None:
    own, _, cash = pair(3)
    (found,) = paired_intervals(own, [own.copy()], calendar(cash))
    assert found == (0.0, 0.0, 0.0, 0.0)


def test_ratio_without_spread_has_no_interval() -> None:
    cash = np.full(301, 0.0001)
    (found,) = paired_intervals(pair(4, 301)[0], [cash.copy()], calendar(cash))
    assert np.isfinite([found.cagr_low, found.cagr_high]).all()
    assert np.isnan([found.sharpe_low, found.sharpe_high]).all()


@pytest.mark.parametrize("measure", ["cagr", "sharpe"])
def test_portfolios_that_only_luck_distinguishes_are_seldom_significant(measure: str) -> None:
    claims = 0
    for seed in range(300):
        own, rival, cash = pair(100 + seed)
        (found,) = paired_intervals(own, [rival], calendar(cash))
        low, high = getattr(found, f"{measure}_low"), getattr(found, f"{measure}_high")
        claims += low > 0 or high < 0
    # One in twenty, and a little more since the blocks of a thousand sessions are few.
    assert claims / 300 <= 0.08


def test_difference_that_lasts_is_significant() -> None:
    own, rival, cash = pair(5, gap=0.001)
    (found,) = paired_intervals(own, [rival], calendar(cash))
    assert found.cagr_low > 0
    assert found.sharpe_low > 0
