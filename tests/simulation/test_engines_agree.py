"""Two engines written independently from the same rules book the same rows, and the rows keep the laws.

The panels and rules are drawn (``generators``) or shrunk by hypothesis. Numbers known beforehand belong in
``test_worked_examples`` and ``test_closed_forms``.
"""

import dataclasses
from collections import Counter
from itertools import islice

import numpy as np
import plain_engine
import pytest
from hypothesis import given, settings
from support.closeness import assert_close
from support.generators import Case, panel_of, random_case
from support.ledger_readings import held_by_session
from support.portfolio_laws import assert_portfolio_laws
from support.simulation_laws import MONEY_TOLERANCE, asked_for, assert_laws, dust, is_compared
from support.small_cases import small_cases

from sd_core.simulation.engine import simulate
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import Every, Shortfall
from sd_core.simulation.targets import Targets

CASES = 5_000
CHUNK = 50


def assert_rows_agree(compiled: Rows, plain: Rows, table: str, rounding: float, lowest_price: float) -> None:
    """Compare whole columns: integers exactly, numbers to a relative 1e-9 or to the rounding of large sums of money."""
    assert compiled.dtype == plain.dtype
    assert plain.dtype.names is not None
    assert len(compiled) == len(plain), f"{table}: {len(compiled)} rows compiled, {len(plain)} plain"
    for column in plain.dtype.names:
        is_float = plain.dtype[column].kind == "f"
        # After a crash a little money is many shares.
        of_shares = column in ("quantity", "skipped_quantity")
        assert_close(
            compiled[column],
            plain[column],
            rtol=1e-9 if is_float else 0,
            atol=(rounding / min(lowest_price, 1.0) if of_shares else rounding) if is_float else 0,
            err_msg=f"{table}.{column}",
        )


def assert_results_agree(compiled: SimulationResult, plain: SimulationResult) -> None:
    if not is_compared(plain):
        return
    richest = plain.daily["value"].max()
    # What traded comes first: its first difference is the cause of all others.
    for column in ("session", "leg", "kind", "asset"):
        if not np.array_equal(compiled.ledger[column], plain.ledger[column]):
            np.testing.assert_array_equal(compiled.ledger[column], plain.ledger[column], err_msg=column)
    rounding = 1e-9 + 1e-14 * richest
    lowest_price = np.nanmin(plain.ledger["price"], initial=1.0)
    for table in ("ledger", "daily", "lots"):
        assert_rows_agree(getattr(compiled, table), getattr(plain, table), table, rounding, lowest_price)


def assert_engines_agree_and_keep_the_laws(case: Case) -> None:
    (compiled,) = simulate(case.panel, [case.rules])
    assert_results_agree(compiled, plain_engine.simulate(case.panel, case.rules))
    assert_laws(case.panel, case.rules, compiled)
    assert_portfolio_laws(case.panel, case.rules, compiled)


@pytest.mark.parametrize("chunk", range(CASES // CHUNK))
def test_engines_agree_on_random_cases_and_keep_the_laws(chunk):
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        case = random_case(seed)
        try:
            assert_engines_agree_and_keep_the_laws(case)
        except AssertionError as difference:
            difference.add_note(f"random_case({seed}): {case.rules}")
            raise


QUARTERS = 8


def study_of_two_weights(seed: int) -> Case:
    """Return two assets over two years whose weights change at random on the first session of each quarter."""
    rng = np.random.default_rng([seed, QUARTERS])
    sessions = np.busday_offset("2019-01-01", np.arange(65 * QUARTERS), roll="forward")
    steps = rng.normal(0, rng.choice([0.003, 0.01, 0.03]), (2, len(sessions), 4))
    visited = 100 * np.exp(np.cumsum(steps.reshape(2, -1), axis=1)).reshape(steps.shape)
    bars = np.stack([visited[..., 0], visited.max(axis=2), visited.min(axis=2), visited[..., -1]], axis=2)
    panel = panel_of(*bars.tolist(), sessions=sessions, rates=float(rng.choice([0.0, 0.03])))
    months = sessions.astype("datetime64[M]").astype(int)
    first_of_quarter = np.append(True, months[1:] // 3 != months[:-1] // 3)
    share = rng.uniform(0.0, 1.0, first_of_quarter.sum())
    targets = Targets(sessions[first_of_quarter], np.stack([share, 1 - share], axis=1))
    drawn = next(case.rules for case in map(random_case, range(7 * seed, CASES)) if len(case.panel.tickers) == 2)
    return Case(panel, dataclasses.replace(drawn, targets=targets))


@pytest.mark.parametrize("chunk", range(8))
def test_engines_agree_where_two_weights_change_each_quarter(chunk):
    for seed in range(25 * chunk, 25 * (chunk + 1)):
        case = study_of_two_weights(seed)
        try:
            assert_engines_agree_and_keep_the_laws(case)
        except AssertionError as difference:
            difference.add_note(f"study_of_two_weights({seed}): {case.rules}")
            raise


def test_withdrawal_is_only_cut_when_all_is_sold_where_all_can_be():
    policies = (Shortfall.OVERWEIGHT, Shortfall.PRO_RATA, Shortfall.LOWEST_TAX)
    cases_with_a_cut: Counter[Shortfall] = Counter()
    for case in map(random_case, range(CASES)):
        if case.rules.withdrawal_every is Every.NEVER or np.isnan(case.panel.close).any():
            continue
        lots = np.zeros_like(case.rules.lot_sizes)
        free = dataclasses.replace(case.rules, fee_fixed=0.0, fee_rate=0.0, coverage_min=0.0, lot_sizes=lots)
        each = [dataclasses.replace(free, shortfall=policy) for policy in policies]
        for rules, result in zip(each, simulate(case.panel, each), strict=True):
            asked = asked_for(result.ledger)
            cut = asked["session"][asked["skipped_quantity"] > MONEY_TOLERANCE]
            assert (held_by_session(case.panel, result.ledger)[cut] <= dust(case.panel, result.ledger)).all(), rules
            cases_with_a_cut[rules.shortfall] += len(cut) > 0
    assert all(cases_with_a_cut[policy] >= 20 for policy in policies), cases_with_a_cut


@pytest.mark.parametrize("workers", [1, 2, None])
def test_many_scenarios_at_once_come_back_in_order(workers):
    panel = random_case(3).panel
    assets = len(panel.tickers)
    alike = (case.rules for case in map(random_case, range(CASES)) if len(case.panel.tickers) == assets)
    scenarios = list(islice(alike, 40))

    together = list(simulate(panel, scenarios, workers))
    assert len(together) == len(scenarios) == 40
    for compiled, rules in zip(together, scenarios, strict=True):
        assert_results_agree(compiled, plain_engine.simulate(panel, rules))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(small_cases())
def test_engines_agree_on_small_cases_and_keep_the_laws(case):
    assert_engines_agree_and_keep_the_laws(case)
