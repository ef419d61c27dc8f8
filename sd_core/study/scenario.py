"""A scenario: one strategy at one cash reserve."""

from typing import NamedTuple

# More of them in one study are refused.
MOST_SCENARIOS = 100_000


class Scenario(NamedTuple):
    """One strategy at one cash reserve: the unit of simulation, and one partition."""

    strategy: str
    reserve: float

    @property
    def reserve_key(self) -> str:
        """The reserve in percent as a partition key: 0.1 is ``r10``, 0.025 is ``r2_5``."""
        return reserve_key(self.reserve)


def reserve_key(reserve: float) -> str:
    """Return the partition key of a reserve given as a fraction.

    >>> reserve_key(0.1), reserve_key(0.025), reserve_key(0.1225)
    ('r10', 'r2_5', 'r12_25')
    """
    return "r" + f"{round(reserve * 100, 2):.2f}".rstrip("0").rstrip(".").replace(".", "_")
