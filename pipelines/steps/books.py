"""The ledger that a study names: where it is, whether it is there, and which entry is its last.

Importing this is quick, so that a run finds out soon whether the ledger has moved. What its books hold belongs in
``account``, what may be done to it in ``operate``.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pipelines.lab.home import ledgers_beside
from sd_core.buckets.ledger.ending import Ending, ending
from sd_core.lake import Lake
from sd_core.study.model import Study

# What must hold of a ledger before anything follows from it.
VERIFIES, RECONCILED, MARKED = "ledger_verifies", "reconciled", "marks_complete"
LEDGER_CHECKS: Mapping[str, str] = {
    VERIFIES: "Every digest, balance and lot of the ledger is what its entries say.",
    RECONCILED: "No reconciliation blocks the account or an instrument, its broker answers, and no activity is held.",
    MARKED: "Every session in New York was marked, from the first mark or the first satellite's start on.",
}


def place_of(study: Study, lake: Lake) -> tuple[str, Path, str | None]:
    """Return name, folder and address of the ledger: in ``SD_LEDGER``'s PostgreSQL, else a file below the home."""
    return study.ledger, ledgers_beside(lake), os.environ.get("SD_LEDGER") or None


def last_entry(study: Study, lake: Lake) -> Ending | None:
    """Return the last entry of the ledger; None where there is no ledger."""
    return ending(*place_of(study, lake))


def ledger_of(study: Study, lake: Lake) -> Mapping[str, Study]:
    """Return the study under the one key of its ledger's dataset, and nothing where there is no ledger."""
    return {} if last_entry(study, lake) is None else {"": study}


def ending_of(study: Study, lake: Lake) -> dict[str, str | int]:
    """Return what says everything that the ledger holds: its name, and the number and digest of its last entry."""
    last = last_entry(study, lake)
    return {"ledger": study.ledger} | ({} if last is None else asdict(last))
