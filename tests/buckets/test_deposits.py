"""Deposits split between a core and its satellites, and what goes back.

Expected amounts are worked out by hand beside them: the deficit of a satellite is target · (T + X) - V.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sd_core.buckets.deposits import harvest_of, split_deposit, whole_units

CENTS = 100


def split(deposit, total, budget, *satellites, fed=None, minor=CENTS):
    """Return the parts of satellites given as (value, target), and the core's."""
    values, targets = np.array(satellites, dtype=float).reshape(-1, 2).T
    is_fed = np.ones(len(values), dtype=bool) if fed is None else np.array(fed)
    parts = split_deposit(deposit, total, budget, values, targets, is_fed, minor)
    return [*parts, round(deposit - math.fsum(parts), 9)]


@pytest.mark.parametrize(
    ("deposit", "total", "budget", "satellites", "expected"),
    [
        # Deficits of 100 each; the budget is 300.
        (1000, 0, 0.30, [(0, 0.10)] * 3, [100, 100, 100, 700]),
        # .08 · 51 000 - 1 500 = 2 580 and .07 · 51 000 - 3 300 = 270; 150 of 2 850 are .0526: 135.789, 14.2105
        (1000, 50_000, 0.15, [(1_500, 0.08), (3_300, 0.07)], [135.78, 14.21, 850.01]),
        # The first is .01 below its target of 4 000, and reaches that of 4 080; the other is above its own.
        (1000, 50_000, 0.15, [(3_999.99, 0.08), (3_600, 0.07)], [80.01, 0, 919.99]),
        # Above its target a satellite gets nothing, though the deposit lifts the target to 4 080.
        (1000, 50_000, 0.15, [(4_060, 0.08), (3_600, 0.07)], [0, 0, 1000]),
        # The dual bucket: a tenth of the deposit below its target, nothing at it.
        (1000, 20_000, 0.10, [(1_999.99, 0.10)], [100, 900]),
        (1000, 20_000, 0.10, [(2_000, 0.10)], [0, 1000]),
        (1000, 20_000, 0.10, [], [1000]),
        (1000, 20_000, 0.0, [(0, 0.10)], [0, 1000]),
    ],
)
def test_worked_deposits(deposit, total, budget, satellites, expected):
    assert split(deposit, total, budget, *satellites) == pytest.approx(expected, abs=1e-9)


def test_deposits_pass_by_who_sleeps_or_is_paused():
    assert split(1000, 0, 0.30, (0, 0.10), (0, 0.10), fed=[False, True]) == [0, 100, 900]


def test_a_currency_without_minor_units_is_split_in_whole_units():
    # 135.789 and 14.2105 yen
    assert split(1000, 50_000, 0.15, (1_500, 0.08), (3_300, 0.07), minor=1) == [135, 14, 851]


def test_three_new_satellites_get_a_tenth_each_beside_a_core():
    # As long as all are below their target they want the same, and get a third of 30 % each: every month.
    values, core = [0.0, 0.0, 0.0], 50_000.0
    for _ in range(24):
        *parts, rest = split(1000, sum(values) + core, 0.30, *((value, 0.10) for value in values))
        assert [*parts, rest] == pytest.approx([100, 100, 100, 700], abs=1e-9)
        values, core = [value + part for value, part in zip(values, parts, strict=True)], core + rest


def test_a_tenth_of_deposits_reaches_five_percent_of_the_account_in_month_twenty():
    # 20 000 and 1 000 a month: after n months 100 n of 20 000 + 1 000 n, which is 5 % at n = 20 and never 10 %.
    value, core, shares = 0.0, 20_000.0, []
    for _ in range(600):
        part, rest = split(1000, value + core, 0.10, (value, 0.10))
        value, core = value + part, core + rest
        shares.append(value / (value + core))
    assert shares[9] == pytest.approx(1_000 / 30_000, abs=1e-12)
    assert shares[11] == pytest.approx(1_200 / 32_000, abs=1e-12)
    assert next(month for month, share in enumerate(shares, 1) if share >= 0.05 - 1e-12) == 20
    assert max(shares) < 0.10


@st.composite
def deposits(draw):
    """Draw a deposit in cents, an account and its satellites, whose targets fit the budget."""
    count = draw(st.integers(0, 6))
    targets = [draw(st.integers(20, 150)) / 1000 for _ in range(count)]
    budget = min(0.30, sum(targets)) if draw(st.booleans()) else 0.30
    total = draw(st.integers(0, 10**9)) / 100
    values = [total * draw(st.floats(0, 0.2)) for _ in range(count)]
    fed = [draw(st.booleans()) for _ in range(count)]
    return draw(st.integers(1, 10**8)) / 100, total, budget, list(zip(values, targets, strict=True)), fed


@given(deposits())
def test_parts_are_whole_cents_within_the_budget(drawn):
    deposit, total, budget, satellites, fed = drawn
    *parts, core = split(deposit, total, budget, *satellites, fed=fed)
    assert all(part >= 0 and abs(part * CENTS - round(part * CENTS)) < 1e-6 for part in parts)
    assert math.fsum(parts) <= budget * deposit + 1e-6
    assert core >= (1 - budget) * deposit - 1e-6


@given(deposits())
def test_parts_go_to_those_below_their_target_and_lift_none_above(drawn):
    deposit, total, budget, satellites, fed = drawn
    parts = split(deposit, total, budget, *satellites, fed=fed)[:-1]
    for part, (value, target), is_fed in zip(parts, satellites, fed, strict=True):
        if part > 0:
            assert is_fed
            assert total == 0 or value < target * total
            assert value + part <= target * (total + deposit) + 1e-6


@given(deposits())
def test_parts_are_those_of_exact_arithmetic(drawn):
    # The same sentence in fractions; a part may differ where the exact one is within rounding of a whole cent.
    deposit, total, budget, satellites, fed = drawn
    parts = split(deposit, total, budget, *satellites, fed=fed)[:-1]
    x, t, b = Fraction(deposit), Fraction(total), Fraction(budget)
    deficits = [
        max(Fraction(target) * (t + x) - Fraction(value), 0)
        if is_fed and (t == 0 or value / total < target - 1e-12)
        else 0
        for (value, target), is_fed in zip(satellites, fed, strict=True)
    ]
    scale = min(Fraction(1), b * x / sum(deficits)) if sum(deficits) else 0
    for part, deficit in zip(parts, deficits, strict=True):
        exact = deficit * scale * CENTS
        near = Fraction(round(exact))
        assert round(part * CENTS) == (near if abs(exact - near) < 1e-5 else math.floor(exact))


@pytest.mark.parametrize(
    ("amount", "minor", "expected"),
    [
        (0.29, 100, 0.29),  # .29 · 100 = 28.999999999999996
        (1.005, 100, 1.0),
        (7.999, 1, 7.0),
        (-3.0, 100, 0.0),
    ],
)
def test_money_is_cut_to_whole_minor_units(amount, minor, expected):
    assert whole_units(amount, minor) == expected


@pytest.mark.parametrize(
    ("value", "line", "cash", "expected"),
    [
        (12_500, 0.10, 1_800, 1_800),  # 2 500 above the line
        (12_500, 0.10, 9_000, 2_500),
        (12_500, 0.125, 9_000, 0),
        (9_000, 0.10, 9_000, 0),
        (10_000.99, 0.10, 9_000, 0),  # less than 1
        (10_001, 0.10, 9_000, 1),
        (12_500, 0.10, -50, 0),
        (12_500, 0.10, 1_800.129, 1_800.12),
    ],
)
def test_harvests_take_free_cash_above_the_line(value, line, cash, expected):
    assert harvest_of(value, 100_000, line, cash, CENTS) == pytest.approx(expected, abs=1e-9)
