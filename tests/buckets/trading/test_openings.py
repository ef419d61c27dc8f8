"""What a satellite buys at the next open, by hand from docs/buckets.md: rank, room and size."""

import math
from dataclasses import replace

import pytest

from sd_core.buckets.presets import settings
from sd_core.buckets.trading.openings import Asked, Buyer, Costs, openings

# custom: size .275, 13 positions: φ = 1/13 + (.275 − 1/13) · conviction.
CUSTOM = settings("custom").parameters
FREE = Costs()


def buyer(**changed: object) -> Buyer:
    """Return a satellite that is worth 10 000, all of it cash, at a factor and level of 1."""
    made = Buyer(CUSTOM, 10_000.0, 1.0, 1.0, is_test=False, tests=0, positions=0, held=frozenset(), free=10_000.0)
    return replace(made, **changed)


def asked(conviction: float, order: float = 0.0, close: float = 100.0, **more: object) -> Asked:
    return Asked(close, close, is_entry=True, conviction=conviction, order=order, **more)


def bought(of: Buyer, signals: dict[str, Asked], costs: Costs = FREE) -> dict[str, float]:
    return {one.unit: one.quantity for one in openings(of, signals, costs)}


def test_the_size_is_value_times_factor_times_the_share_of_a_position():
    """10 000 · .5 · (1/13 + (.275 − 1/13) · .5) at 100 is 8.7980769…; without conviction 10 000 · .5 / 13 / 100."""
    made = bought(buyer(factor=0.5), {"A": asked(0.5), "B": asked(0.0)})
    assert made["A"] == pytest.approx(50 * (1 / 13 + (0.275 - 1 / 13) * 0.5), rel=1e-15)
    assert made["B"] == pytest.approx(50 / 13, rel=1e-15)


def test_costs_are_within_the_size_and_lots_are_whole():
    """10 000/13 = 769.23 less 1 at 100 · 1.001 is 7.67…, of which 7 are whole lots of 1."""
    assert bought(buyer(), {"A": asked(0.0, lot_size=1.0)}, Costs(1.0, 0.001)) == {"A": 7.0}
    made = bought(buyer(), {"A": asked(0.0)}, Costs(1.0, 0.001))
    assert made["A"] * 100 * 1.001 + 1 == pytest.approx(10_000 / 13, rel=1e-12)


def test_conviction_ranks_first_then_the_signals_order_then_the_studys():
    signals = {
        "late": asked(0.5, math.nan),
        "second": asked(0.5, 2.0),
        "first": asked(0.5, 1.0),
        "best": asked(0.75, 9.0),
        "equal": asked(0.5, 2.0),
        "silent": Asked(100.0, 100.0),
    }
    assert list(bought(buyer(), signals)) == ["best", "first", "second", "equal", "late"]


@pytest.mark.parametrize(
    ("changed", "conviction", "count"),
    [
        ({"positions": 11}, 1.0, 2),
        ({"positions": 13}, 1.0, 0),
        # At a level of .4 one a session; and an entry needs a conviction of .75 below .6, of .5 below .7.
        ({"level": 0.4}, 0.75, 1),
        ({"level": 0.4}, 0.5, 0),
        ({"level": 0.6}, 0.5, 3),
        ({"level": 0.6}, 0.25, 0),
        ({"is_test": True}, 0.0, 1),
        ({"is_test": True, "tests": 1}, 1.0, 0),
        ({"factor": 0.0}, 1.0, 0),
        ({"held": frozenset({"A", "B"})}, 1.0, 1),
    ],
)
def test_room_and_conviction(changed, conviction, count):
    signals = {name: asked(conviction) for name in "ABC"}
    assert len(bought(buyer(**changed, free=1e6), signals)) == count


def test_what_is_reserved_is_never_more_than_what_is_free():
    """Each reserves 1.05 · its cost; the size is 2 750, so 1 000 buy 1 000/1.05 = 952.38 at the close."""
    made = openings(buyer(free=1000.0), {"A": asked(1.0), "B": asked(1.0)}, FREE)
    assert [one.unit for one in made] == ["A"]
    assert made[0].quantity == pytest.approx(9.5238095238, rel=1e-9)
    assert made[0].reserved == pytest.approx(1000.0, rel=1e-12)
    costly = openings(buyer(free=3000.0), {"A": asked(1.0), "B": asked(1.0)}, Costs(2.0, 0.01))
    assert sum(one.reserved for one in costly) <= 3000.0 * (1 + 1e-12)
    # Less than 1 is nothing that a broker takes: 1.04/1.05 is less, 1.06/1.05 is not.
    assert openings(buyer(free=1.04), {"A": asked(1.0)}, FREE) == []
    assert len(openings(buyer(free=1.06), {"A": asked(1.0)}, FREE)) == 1
    assert len(costly) == 2
