"""Whole evaluations, and the row that is kept of one."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sd_core.buckets.evaluation import Account, InRegime, Move, Record, Window, evaluate, recomputed, row_of
from sd_core.schemas.kinds import Probation, Status

NONE = Window(math.nan, math.nan, math.nan, math.nan, math.nan)
HUNTER = Record(
    name="hunter",
    status=Status.ACTIVE,
    probation=Probation.PASSED,
    days_active=400,
    trades=9,
    returns=252,
    long=Window(1.2, 1.8, 1.5, 0.6, 0.9),
    recent=Window(1.2, 1.8, 1.5, 0.6, 0.9),
    target=0.07,
    least=0.03,
    most=0.12,
    value=9_000.0,
    cash=2_500.0,
)


def account(*records, **changes):
    return Account("2026-04-01", 100_000.0, 0.20, 100, 252, records)


def scored(name, sharpe, **changes):
    """Return a member whose score is .3 of a Sharpe ratio, and that has no other measure."""
    window = dataclasses.replace(NONE, sharpe=sharpe)
    return dataclasses.replace(HUNTER, name=name, long=window, recent=window, **changes)


def test_a_satellite_alone_has_its_worked_score():
    (verdict,) = evaluate(account(HUNTER)).verdicts
    assert verdict.score == pytest.approx(1.15, abs=1e-12)
    # Alone it would have all of the pool of .20, within its most of .12.
    assert (verdict.clamped, verdict.target) == (pytest.approx(0.12), pytest.approx(0.095))


def test_members_share_the_pool_and_move_cash():
    # λ = .1 / .3 on Sharpe ratios: shares .12, .05 and the least; new targets .095, .06, .045.
    found = evaluate(
        account(
            scored("a", 1.2, value=5_000.0, cash=0.0),
            scored("b", 0.5, value=8_000.0, cash=1_500.0),
            scored("c", -0.3, target=0.06, value=4_500.0, cash=4_500.0),
        )
    )
    assert [one.target for one in found.verdicts] == pytest.approx([0.095, 0.06, 0.045], abs=1e-12)
    # b is 2 000 above its new target and has 1 500; a needs 4 500.
    assert found.moves == (Move("b", "a", 1_500.0),)
    assert found.is_budget_too_small is False


def test_who_is_no_member_keeps_its_target_and_its_money():
    # The pool is .20 - .06 - .05 = .09.
    found = evaluate(
        account(
            scored("member", 1.0, target=0.08, value=20_000.0, cash=20_000.0),
            scored("idle", 9.0, trades=4, target=0.06),
            scored("new", 9.0, probation=Probation.PENDING, days_active=100, target=0.05),
        )
    )
    member, idle, new = found.verdicts
    assert (member.clamped, member.target) == (pytest.approx(0.09, abs=1e-12), pytest.approx(0.085, abs=1e-12))
    assert (idle.weight, idle.clamped, idle.target) == (None, None, 0.06)
    assert (new.weight, new.clamped, new.target, new.probation) == (None, None, 0.05, Probation.PENDING)
    # 20 000 - 8 500, which no member needs.
    assert found.moves == (Move("member", "core", 11_500.0),)


@pytest.mark.parametrize(
    ("trades", "sharpe", "expected"),
    [(4, 1.0, Probation.EXTENDED), (5, 1.0, Probation.PASSED), (5, -1.0, Probation.FAILED)],
)
def test_probation_decides_who_is_a_member(trades, sharpe, expected):
    pending = scored("new", sharpe, trades=trades, probation=Probation.PENDING, days_active=182)
    (verdict,) = evaluate(account(pending)).verdicts
    assert verdict.probation == expected
    assert (verdict.weight is not None) == (expected == Probation.PASSED)


def test_a_record_in_the_regime_tilts_weights():
    # 1.25 of .3 and .75 of .3 of a pool of .20 share it .125 and .075, within [.03, .12]: .12 and .08.
    rising, falling = InRegime(0.001, 100, 3), InRegime(-0.001, 100, 3)
    found = evaluate(account(scored("a", 1.0, in_regime=rising), scored("b", 1.0, in_regime=falling)))
    assert [one.clamped for one in found.verdicts] == pytest.approx([0.12, 0.08], abs=1e-12)


def test_one_year_cannot_distinguish_good_from_middling():
    found = evaluate(account(scored("good", 1.5), scored("middling", 0.3)))
    assert found.errors_apart == pytest.approx(0.8475, abs=5e-5)
    assert found.is_told_apart is False


def test_one_member_is_compared_with_none():
    found = evaluate(account(HUNTER))
    assert (found.errors_apart, found.is_told_apart) == (None, None)


def test_an_account_without_members_changes_nothing():
    found = evaluate(account(dataclasses.replace(HUNTER, status=Status.PAUSED)))
    assert [one.target for one in found.verdicts] == [0.07]
    assert found.moves == ()
    assert evaluate(account()).verdicts == ()


measures = st.one_of(st.just(math.nan), st.floats(-5, 5))
windows = st.builds(
    Window, measures, measures, st.one_of(st.just(math.nan), st.just(math.inf), st.floats(0, 9)), measures, measures
)
records = st.builds(
    Record,
    name=st.sampled_from("abcdefgh"),
    status=st.sampled_from([Status.ACCUMULATING, Status.ACTIVE, Status.HIBERNATING, Status.PAUSED]),
    probation=st.sampled_from(Probation),
    days_active=st.integers(0, 900),
    trades=st.integers(0, 30),
    returns=st.integers(2, 252),
    long=windows,
    recent=windows,
    target=st.floats(0.02, 0.04),
    least=st.just(0.02),
    most=st.just(0.15),
    value=st.floats(0, 20_000),
    cash=st.floats(-10, 20_000),
    in_regime=st.one_of(st.none(), st.builds(InRegime, st.floats(-1, 1), st.integers(0, 99), st.integers(0, 9))),
)


@given(st.lists(records, max_size=5, unique_by=lambda record: record.name))
def test_a_stored_row_recomputes_to_the_same_bytes(drawn):
    row = row_of(account(*drawn))
    assert recomputed(row) == row


@given(st.lists(records, max_size=5, unique_by=lambda record: record.name))
def test_targets_fit_the_budget_and_the_core_pays_nothing(drawn):
    found = evaluate(account(*drawn))
    assert sum(one.target for one in found.verdicts) <= 0.20 + 1e-12
    assert all(move.amount > 0 and move.source != "core" for move in found.moves)


@pytest.mark.parametrize("part", ["account", "evaluation"])
def test_a_row_that_was_changed_is_found_out(part):
    row = json.loads(row_of(account(HUNTER)))
    if part == "account":
        row["account"]["records"][0]["cash"] += 0.01
    else:
        row["evaluation"]["verdicts"][0]["target"] += 1e-12
    changed = json.dumps(row, sort_keys=True, separators=(",", ":"))
    assert recomputed(changed) != changed
