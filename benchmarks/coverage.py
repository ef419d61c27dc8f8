"""How often a 90 % interval of bootstrap samples holds a fresh history: one that the same market might yield next.

Data sets of independent returns are drawn in pairs. Samples of the first half are made as a study may ask for; the
second half is the fresh history. What grows is equal parts of the assets, bought and held.

    python -m benchmarks.coverage [--json FILE]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.market import make_panel, with_drift
from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.resampling.drift import draw_samples
from sd_core.resampling.histories import Relatives, block_length

DATA_SETS = 300
SESSIONS = 2_520
SAMPLES = 199
ASSETS = (1, 5)
FIRST_SEED = 2_000_000
# A log return per session: 7.6 % a year.
DRIFT = 0.0003
INTERVAL = (5, 95)

OPTIONS: Mapping[str, Mapping[str, bool]] = {
    "as they are": {},
    "parameter_uncertainty": {"uncertain": True},
    "centre": {"centred": True},
    "both": {"centred": True, "uncertain": True},
}
COLUMNS = ("samples", "assets", "data sets", "fresh histories held", "samples below the history")


@dataclass(frozen=True)
class Found:
    """What intervals held.

    Attributes:
        samples: how they were made.
        assets: in equal parts.
        data_sets: how many pairs were drawn.
        held: fresh histories within the interval.
        below: samples that grew less than the history, a share; 0.5 where they are centred on it.
    """

    samples: str
    assets: int
    data_sets: int
    held: int
    below: float


def measure(
    assets: Sequence[int] = ASSETS, data_sets: int = DATA_SETS, sessions: int = SESSIONS, samples: int = SAMPLES
) -> list[Found]:
    """Draw pairs and judge the intervals of every kind of sample."""
    found = []
    for count in assets:
        seen = [list(_judged(count, number, sessions, samples)) for number in range(data_sets)]
        for place, name in enumerate(OPTIONS):
            held, below = zip(*(one[place] for one in seen), strict=True)
            found.append(Found(name, count, data_sets, sum(held), float(np.mean(below))))
    return found


def _judged(assets: int, number: int, sessions: int, samples: int) -> Iterator[tuple[bool, float]]:
    """Yield, by option, whether the interval holds a fresh history, and the share of samples below the history."""
    history, fresh = (
        with_drift(make_panel(assets, sessions, FIRST_SEED + 2 * number + half), DRIFT) for half in (0, 1)
    )
    relatives, weights = Relatives.of(history), np.full(assets, 1 / assets)
    block = block_length(history, weights)
    for options in OPTIONS.values():
        drawn = draw_samples(
            relatives,
            block,
            samples,
            seed=1,
            centred_at=weights if "centred" in options else None,
            parameter_uncertainty="uncertain" in options,
        )
        grown = np.array([_grown(relatives.history(one), weights) for one in drawn])
        low, high = np.percentile(grown, INTERVAL)
        yield bool(low <= _grown(fresh, weights) <= high), float(np.mean(grown < _grown(history, weights)))


def _grown(panel: Panel, weights: Floats) -> float:
    """Return what equal parts grow to, bought at the first close and held."""
    return float((panel.close[-1] / panel.close[0]) @ weights)


def show(figures: Sequence[Found]) -> None:
    """Print the table."""
    rows = [
        [one.samples, f"{one.assets}", f"{one.data_sets}", f"{one.held / one.data_sets:.1%}", f"{one.below:.0%}"]
        for one in figures
    ]
    report.print_table(COLUMNS, rows)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    figures = measure()
    show(figures)
    return {"coverage": [asdict(one) for one in figures]}


if __name__ == "__main__":
    report.run("Compare 90 % intervals with fresh histories.", main)
