"""The root of a function, against scipy's brentq: the same places are asked, and the last bit is the same."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq

from sd_core.metrics.roots import root

CASES = 2_000


def functions(draws: np.random.Generator) -> list[Callable[[float], float]]:
    a, b, c, d = draws.uniform(-1, 1, 4)
    steep = draws.choice([1.0, 5.0, 50.0])
    return [
        lambda x: a + b * x + c * x * x + d * x**3,
        lambda x: math.exp(steep * a * x) - 1 - b,
        lambda x: math.tanh(steep * (x - c)) + a / 9,
        lambda x: (x - c) ** 3,  # near its root it is 0 to the last bit
        lambda x: round(a + b * x + c * x * x, 2),  # as a share of cash, which moves in steps
    ]


def test_root_is_that_of_scipy_to_the_last_bit_by_the_same_steps() -> None:
    draws = np.random.default_rng(20)
    found, missed = 0, 0
    for number in range(CASES):
        kinds = functions(draws)
        function = kinds[number % len(kinds)]
        xtol, rtol = draws.choice([1e-15, 2e-12, 1e-6, 1e-3]), draws.choice([1e-15, 8.9e-16])
        asked: tuple[list[float], list[float]] = ([], [])

        def heard(by: int, x: float) -> float:
            asked[by].append(x)  # noqa: B023
            return function(x)  # noqa: B023

        try:
            expected = brentq(lambda x: heard(0, x), -1.0, 1.0, xtol=xtol, rtol=rtol)
        except (ValueError, RuntimeError) as error:
            with pytest.raises(type(error)):
                root(function, -1.0, 1.0, xtol=xtol, rtol=rtol)
            missed += 1
            continue
        assert root(lambda x: heard(1, x), -1.0, 1.0, xtol=xtol, rtol=rtol) == expected
        assert asked[1] == asked[0]
        found += 1
    assert found > CASES / 4
    assert missed > CASES / 10
