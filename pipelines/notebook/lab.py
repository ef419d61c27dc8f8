"""A study that is open: its published tables, and simulations of its strategies on the prices in its lake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pipelines.lab.home import StudyHome, open_home
from sd_core.errors import InputError
from sd_core.study.fields import below_one
from sd_core.study.findings import show
from sd_core.study.scenario import Scenario
from sd_core.study.variation import vary
from sd_core.wording import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.notebook.run import Run
    from sd_core.study.model import Study


def open_lab(study: str | None = None) -> Lab:
    """Open a study; see :func:`sd_core.open`."""
    return Lab(open_home(study))


class Lab:
    """A study with what is stored for it. It only reads: a run in progress is not disturbed."""

    def __init__(self, home: StudyHome) -> None:
        self._home = home

    def __repr__(self) -> str:
        study = self.study
        reserves = ", ".join(f"{reserve:g}" for reserve in study.reserve_levels)
        return f"Lab of {study.name}: strategies {', '.join(study.strategies)}; reserves {reserves}"

    @property
    def study(self) -> Study:
        """The study, as it was when it was opened."""
        return self._home.study

    def simulate(self, strategy: str, reserve: float = 0.0, **changes: Any) -> Run:
        """Simulate a strategy at a reserve on the prices that the last run prepared, and store nothing.

        Args:
            strategy: the name of one of the study's strategies.
            reserve: share of the capital that stays in cash, from 0 to below 1; it need not be one of the study's.
            changes: keys of the strategy that are to be others than in the study. A part is given as a mapping, of
                which the keys that are named replace those of the study: ``rule={"sd_n": 6}``. None takes a part away.

        Returns:
            What the scenario did, with the numbers that a whole run publishes of it.

        Raises:
            InputError: there is no such strategy or key, or a value is refused; the message says what was expected.
            NotReadyError: no prices are prepared for the study; the message says what to run.
        """
        study = self.study
        if strategy not in study.strategies:
            raise InputError(_unknown("strategy", strategy, study.strategies))
        try:
            scenario = Scenario(strategy=strategy, reserve=below_one(reserve))
        except ValueError as error:
            raise InputError(f"reserve: {show(reserve)}: {error}") from None
        changed = vary(study, strategy, changes)
        from pipelines.notebook.run import run_alone

        return run_alone(changed, self._home.lake, scenario, changes)

    def table(self, name: str) -> pd.DataFrame:
        """Return a published table as a frame; docs/data-dictionary.md lists them with their columns.

        Raises:
            InputError: there is no such table, or nothing was published yet.
        """
        from pipelines.warehouse.query import open_warehouse
        from sd_core.schemas import TABLES

        if name not in TABLES:
            raise InputError(_unknown("table", name, TABLES))
        with open_warehouse(self._home) as connection:
            frame: pd.DataFrame = connection.sql(f"from {name}").df()
        return frame


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a refusal of a name, with the one that may have been meant."""
    names = list(known)
    return f"{kind}: {show(name)}: expected one of {', '.join(names)}{did_you_mean(str(name), names)}"
