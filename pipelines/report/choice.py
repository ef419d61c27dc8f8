"""Which scenarios the charts show: buy-and-hold, and the few rivals that matter; and how each is drawn throughout."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.report.numbers import level
from pipelines.report.svg import BLACK, COLOURS, DASHES, Key, Stroke
from pipelines.report.verdicts import Headline, demerit

# More lines than this cannot be followed.
MOST_RIVALS = 5


@dataclass(frozen=True)
class Shown:
    """A scenario that the charts show, and its look.

    Attributes:
        row: its row of report_strategy, with what its strategy is.
        label: its name in legends.
        stroke: its line.
    """

    row: dict[str, Any]
    label: str
    stroke: Stroke

    @property
    def key(self) -> Key:
        """Its entry in a legend."""
        return Key(self.label, self.stroke)


@dataclass(frozen=True)
class Choice:
    """The scenarios that charts show, buy-and-hold first, and the sentence that says how they were chosen."""

    shown: tuple[Shown, ...]
    how: str

    def columns(self) -> list[list[Any]]:
        """Return strategies, reserves and places as the parameters of a query, for :data:`CHOSEN`."""
        rows = [one.row for one in self.shown]
        return [[row["strategy"] for row in rows], [row["reserve"] for row in rows], list(range(len(rows)))]


# A common table expression of the scenarios shown, to be joined with.
CHOSEN = """
chosen as (
    select unnest($1::varchar[]) as strategy, unnest($2::double[]) as reserve, unnest($3::integer[]) as place
)"""


def choose(headline: Headline) -> Choice:
    """Choose buy-and-hold and the best scenario of each strategy, or of each family where strategies are many.

    A family has one variant, sizing and order, and is rebalanced or not. Best is by rank, as in the headline.
    Outdated scenarios are left out, since they were simulated on other prices or rules.
    """
    current = [row for row in headline.rows if row["is_current"]]
    holding = headline.holding if headline.holding in current else None
    # Other weights that are only bought and held are a rival like any other.
    rivals = [row for row in current if row["strategy"] != holding["strategy"]] if holding else current
    names = {row["strategy"] for row in rivals}
    few = len(names) <= MOST_RIVALS
    best = _best(rivals, "strategy" if few else "family")
    kept = sorted(sorted(best, key=demerit)[:MOST_RIVALS], key=lambda row: row["position"])
    shown = [Shown(holding, f"buy-and-hold ({holding['strategy']})", Stroke(BLACK, width=2.2))] if holding else []
    shown += [
        Shown(row, f"{row['strategy']}, reserve {level(row['reserve'])}", look(place)) for place, row in enumerate(kept)
    ]
    return Choice(tuple(shown), _how(holding is not None, few, len(names), len(best), len(kept)))


def _best(rows: Sequence[dict[str, Any]], *family: str) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[column] for column in family)
        if key not in found or demerit(row) < demerit(found[key]):
            found[key] = row
    return list(found.values())


def look(place: int) -> Stroke:
    """Return the look of a rival: colour and dashes both differ, so that print without colours can be read too."""
    return Stroke(COLOURS[place % len(COLOURS)], DASHES[(place + place // len(COLOURS)) % len(DASHES)])


def _how(holding: bool, few: bool, strategies: int, families: int, kept: int) -> str:
    first = "Buy-and-hold, and " if holding else ""
    if strategies == 0:
        return "The charts show buy-and-hold." if holding else "No scenario is up to date, so no chart shows one."
    if few:
        what = "each strategy" if strategies > 1 else "the strategy"
    else:
        family = "same variant, sizing and order, rebalanced or not"
        what = f"of {strategies} strategies the best of each of {families} families ({family})"
    most = f" The best {kept} of these are shown." if kept < families else ""
    sentence = f"{first}{what}, at its best reserve.{most}"
    return "The charts show: " + sentence[0].lower() + sentence[1:]
