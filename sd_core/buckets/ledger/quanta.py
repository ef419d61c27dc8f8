"""Money and shares as whole quanta, and back as decimals; arithmetic that keeps every quantum.

A quantum is 10^-scale of a unit: currencies have scale 4, instruments 9.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sd_core.errors import InputError
from sd_core.market.currencies import minor_digits

CURRENCY_SCALE = 4
INSTRUMENT_SCALE = 9
LARGEST = 2**63 - 1
CODE = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class Unit:
    """A currency or an instrument.

    Attributes:
        unit: its code or ticker.
        kind: ``currency`` or ``instrument``.
        scale: decimal digits of a quantum.
        minor_digits: digits that people pay with.
        quote_currency: what an instrument is priced in.
    """

    unit: str
    kind: str
    scale: int
    minor_digits: int
    quote_currency: str | None = None

    @property
    def minor(self) -> int:
        """The smallest amount that people pay, in quanta."""
        return int(10 ** (self.scale - self.minor_digits))

    def quanta(self, amount: Decimal, place: str, digits: int | None = None) -> int:
        """Return an amount in quanta.

        Args:
            amount: in units.
            place: what a refusal begins with.
            digits: the most that are taken; None: all of the scale.

        Raises:
            InputError: the amount is no number, too large, or has more digits.
        """
        most = self.scale if digits is None else digits
        if not amount.is_finite() or abs(amount) * 10**self.scale > LARGEST:
            raise InputError(f"{place}: {amount} {self.unit}: expected a number of at most {19 - self.scale} digits")
        if amount != round(amount, most):
            raise InputError(f"{place}: {amount} {self.unit}: expected at most {most} decimal digits")
        return int(amount.scaleb(self.scale))

    def decimal(self, quanta: int) -> Decimal:
        """Return quanta as an exact decimal, with all digits of the scale."""
        return Decimal(quanta).scaleb(-self.scale)

    def shown(self, quanta: int) -> str:
        """Return quanta as people read them, with the unit.

        >>> Unit("USD", "currency", 4, 2).shown(9_000_000), Unit("USD", "currency", 4, 2).shown(12_345)
        ('900.00 USD', '1.2345 USD')
        >>> Unit("NVDA", "instrument", 9, 0, "USD").shown(1_500_000_000)
        '1.5 NVDA'
        """
        return f"{self.number(quanta)} {self.unit}"

    def number(self, quanta: int) -> str:
        """Return quanta as people read them, without the unit: at least the minor digits, and no other zeros."""
        whole, _, digits = f"{self.decimal(quanta):.{self.scale}f}".partition(".")
        digits = digits.rstrip("0").ljust(self.minor_digits, "0")
        return f"{whole}.{digits}" if digits else whole


def currency(code: str) -> Unit:
    """Return a currency with the minor digits of ISO 4217.

    Raises:
        InputError: its code is other than three capital letters.
    """
    if not CODE.fullmatch(code):
        raise InputError(f"{code!r}: expected a currency: three capital letters such as USD")
    return Unit(code, "currency", CURRENCY_SCALE, minor_digits(code))


def instrument(ticker: str, quote_currency: str) -> Unit:
    """Return an instrument that is priced in a currency."""
    return Unit(ticker, "instrument", INSTRUMENT_SCALE, 0, quote_currency)


def shares(whole: int, weights: Sequence[int]) -> list[int]:
    """Divide whole quanta in proportion to weights, so that the parts add up to the last quantum.

    Each part is the difference of two cumulated ones, rounded down.

    >>> shares(10, [1, 1, 1]), shares(-10, [1, 1, 1])
    ([3, 3, 4], [-3, -3, -4])
    """
    total = sum(weights)
    sign = -1 if whole < 0 else 1
    parts, weight, done = [], 0, 0
    for one in weights:
        weight += one
        reached = abs(whole) * weight // total
        parts.append(sign * (reached - done))
        done = reached
    return parts


def by_ratio(quanta: Sequence[int], ratio: Fraction, total: int) -> list[int]:
    """Multiply holdings by a ratio, rounded down, so that they add up to a stated total: the last takes the rest.

    >>> by_ratio([3, 3, 1], Fraction(3, 2), 10)
    [4, 4, 2]
    """
    scaled = [int(one * ratio) for one in quanta]
    scaled[-1] += total - sum(scaled)
    return scaled


def in_words(amounts: Mapping[str, int], units: Mapping[str, Unit]) -> str:
    """Return amounts of several units in one text."""
    return ", ".join(units[unit].shown(quanta) for unit, quanta in amounts.items())
