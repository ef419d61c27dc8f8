"""What a trial came to."""

import traceback
from collections import Counter
from dataclasses import dataclass, field

from support.lab import Lab
from support.wholeness import assert_lake_readable, assert_whole


@dataclass
class Found:
    """What a trial did, how often, and what was wrong.

    Attributes:
        counts: how often what happened, by a word for it.
        faults: what must not happen, a line or a trace each, with what repeats it.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        """Take in what another trial came to."""
        self.counts += other.counts
        self.faults += other.faults

    def look(self, lab: Lab, when: str) -> None:
        """Note it as a fault where what is published is not whole, or the lake cannot be read."""
        try:
            assert_whole(lab)
            assert_lake_readable(lab)
        except Exception:
            self.faults.append(f"{when}: {traceback.format_exc()}")

    def __str__(self) -> str:
        """Return the counts in a line, and every fault below it."""
        line = ", ".join(f"{name} {count}" for name, count in self.counts.items()) or "nothing was tried"
        return "\n".join([f"{line}; faults {len(self.faults)}", *self.faults])
