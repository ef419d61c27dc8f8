"""The domain of SD Lab: studies, prices, simulations, the lake and the declarations of the published tables.

Nothing here knows Dagster or SQL, so a notebook can load a study, build a panel and simulate it with this package
alone. Orchestration belongs in ``pipelines``, questions about results in ``sql``. The one door out of here is
:func:`open`, which hands over to ``pipelines`` when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.notebook.lab import Lab


def open(study: str | None = None) -> Lab:  # noqa: A001
    """Open a study, for its tables and for simulations of its strategies; docs/python.md has examples.

    Everything is read from, and found in, the folder that `sdlab run` uses.

    Args:
        study: a study file, or the name of one in ``studies/``; None is the one that ``SD_STUDY`` names, or the demo.

    Raises:
        InputError: there is no such study, or it is refused.
    """
    from pipelines.notebook.lab import open_lab

    return open_lab(study)
