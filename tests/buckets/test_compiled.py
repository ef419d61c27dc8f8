"""Compiled code and Python run the same rules, and only code that compiles waits for numba."""

import inspect
import subprocess
import sys
from typing import get_type_hints

import numpy as np
import pytest
from numba import njit

from sd_core.buckets import allocator, deposits
from sd_core.buckets.compiled import MODULES
from sd_core.buckets.measures import measures_of

rules = MODULES[0]
SCALARS = {
    name: function
    for name, function in inspect.getmembers(rules, inspect.isfunction)
    if function.__module__ == rules.__name__
}
# Numbers at and around bounds, and days and counts as small as statuses and signals are.
FLOATS = [0.0, 1e-13, 0.02, 0.04, 0.1, 0.15, 0.2499, 0.25, 0.35, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, -0.3, np.nan]
INTEGERS = [-1, 0, 1, 2, 3, 4, 5, 21, 30, 90, 180, 200]
DRAWS = 300


def arguments(function, generator):
    kinds = [kind for name, kind in get_type_hints(function).items() if name != "return"]
    of = {
        float: lambda: float(generator.choice(FLOATS)),
        int: lambda: int(generator.choice(INTEGERS)),
        bool: lambda: bool(generator.integers(2)),
    }
    return tuple(of[kind]() for kind in kinds)


def takes(name, drawn):
    """Return whether numbers are such as a rule is asked about: what is divided by is above 0."""
    divisors = {"level_by_share": 1, "arms": 1, "position_share": 1}
    return name not in divisors or drawn[divisors[name]] > 0


@pytest.mark.parametrize("name", SCALARS)
def test_a_rule_compiled_is_the_rule(name):
    function = SCALARS[name]

    @njit(error_model="numpy")
    def compiled(given):
        return function(*given)

    generator = np.random.default_rng(7)
    drawn = [one for one in (arguments(function, generator) for _ in range(DRAWS)) if takes(name, one)]
    assert len(drawn) > DRAWS / 2
    for given in drawn:
        np.testing.assert_array_equal(compiled(given), function(*given), err_msg=str(given))


@njit(error_model="numpy")
def evaluation_of(values, cash, targets, is_fed, scores, least, most, sharpes, observations, pool):
    weights = allocator.weights_of(scores, np.ones(len(scores)))
    clamped, is_too_small = allocator.clamped_shares(weights, least, most, pool)
    new = allocator.damped(targets, clamped)
    total = 3.0 * values.sum()
    return (
        deposits.split_deposit(1234.56, total, pool, values, targets, is_fed, 100.0),
        deposits.harvest_of(values[0], total, targets[0], cash[0], 100.0),
        allocator.moves_of(values, cash, new, total, 100.0),
        clamped,
        is_too_small,
        allocator.distinction(sharpes, observations, 252.0),
        allocator.score_of(scores[0], scores[-1], most[0] / least[0], least[0], scores[0]),
        allocator.probation_after(0, 2, observations[0], observations[-1], scores[0]),
        allocator.is_member(2, 1, observations[0]),
        allocator.tilt_of(scores[0], observations[0], observations[-1]),
    )


def test_money_and_targets_compiled_are_the_same_to_the_last_bit():
    # So that a stored evaluation of a history is found again by Python.
    generator = np.random.default_rng(5)
    for _ in range(500):
        count = generator.integers(1, 12)
        least = generator.uniform(0.0, 0.03, count)
        given = (
            np.round(generator.uniform(0, 9000, count), 2),
            np.round(generator.uniform(-10, 900, count), 2),
            generator.uniform(0.02, 0.12, count),
            generator.random(count) < 0.8,
            generator.normal(0, 1, count),
            least,
            least + generator.uniform(0, 0.1, count),
            np.where(generator.random(count) < 0.8, generator.normal(0, 2, count), np.nan),
            generator.integers(1, 300, count),
            generator.uniform(0.0, 0.3),
        )
        for one, other in zip(evaluation_of(*given), evaluation_of.py_func(*given), strict=True):
            np.testing.assert_array_equal(one, other)


def test_measures_compiled_are_the_same_but_for_rounding():
    compiled = njit(error_model="numpy")(lambda *given: measures_of(*given))
    generator = np.random.default_rng(5)
    for sessions, trips in [(252, 30), (63, 0), (2, 1), (1, 1), (0, 0)]:
        returns = generator.normal(0, 0.01, sessions)
        given = (returns, returns - 1e-4, generator.normal(0, 9, trips), 1.45 * sessions, 252.0)
        np.testing.assert_allclose(compiled(*given), measures_of(*given), rtol=1e-12)


def test_rules_are_read_without_numba():
    names = [
        f"sd_core.buckets.{name}" for name in ("presets", "rules", "deposits", "allocator", "evaluation", "lifecycle")
    ]
    code = f"import sys, {', '.join(names)}; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
