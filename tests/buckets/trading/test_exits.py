"""What a position needs at the broker, by hand from docs/ledger.md."""

from decimal import Decimal

import pytest

from sd_core.buckets.presets import settings
from sd_core.buckets.trading.exits import Needed, Position, needed

D = Decimal
# custom: stop .125, take .175; without a trailing stop.
CUSTOM = settings("custom").parameters
TRAILING = settings("custom", toggles={"trailing": True}).parameters


def position(quantity: str = "10", **changed: object) -> Position:
    """Return a position that was entered at 100, with its first stop."""
    return Position(**{"quantity": D(quantity), "entry_price": 100.0, "stop": 87.5, "close": 101.0} | changed)


@pytest.mark.parametrize(
    ("of", "parameters", "needs"),
    [
        # Whole shares rest at both prices until called off, fractions at the stop, for a day.
        (position(), CUSTOM, Needed("oco", "stop", D("117.50"), D("87.50"), "gtc")),
        (position("10.5"), CUSTOM, Needed("stop", "stop", None, D("87.50"), "day")),
        (position(), TRAILING, Needed("stop", "stop", None, D("87.50"), "gtc")),
        (position(stop=98.123, is_armed=True), TRAILING, Needed("stop", "trailing", None, D("98.12"), "gtc")),
        # A close at the take-profit, 117.50, is an exit of fractions at the next open.
        (position("10.5", close=117.5), CUSTOM, Needed("market", "take")),
        (position("10.5", close=117.49), CUSTOM, Needed("stop", "stop", None, D("87.50"), "day")),
        (position("10.5", close=200.0), TRAILING, Needed("stop", "stop", None, D("87.50"), "day")),
        # What is due at the open comes before anything that rests.
        (position(exit_reason="held"), CUSTOM, Needed("market", "held")),
        (position("10.5", close=200.0, exit_reason="trend"), CUSTOM, Needed("market", "trend")),
        # Below a dollar prices have four digits.
        (position("10.5", entry_price=0.9, stop=0.78755, close=0.9), CUSTOM, Needed("stop", "stop", None, D("0.7876"))),
    ],
)
def test_what_a_position_needs(of, parameters, needs):
    assert needed(of, parameters) == needs
    assert needs.rests is (needs.type != "market")
