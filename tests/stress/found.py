"""What a trial came to."""

from collections import Counter
from dataclasses import dataclass, field


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

    def __str__(self) -> str:
        """Return the counts in a line, and every fault below it."""
        line = ", ".join(f"{name} {count}" for name, count in self.counts.items()) or "nothing was tried"
        return "\n".join([f"{line}; faults {len(self.faults)}", *self.faults])
