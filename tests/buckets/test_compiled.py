"""Compiled code and Python run the same rules, and only code that compiles waits for numba."""

import inspect
import subprocess
import sys
from typing import get_type_hints

import numpy as np
import pytest
from numba import njit

from sd_core.buckets import rules
from sd_core.buckets.compiled import MODULES

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


def test_rules_are_read_without_numba():
    names = [module.__name__ for module in MODULES] + ["sd_core.buckets.presets"]
    code = f"import sys, {', '.join(names)}; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
