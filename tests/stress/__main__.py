"""Run one trial, or all of them one after the other, and end with 1 where there was a fault.

PYTHONPATH=.:tests .venv/bin/python -m stress [kills | crowd | study | csv | engine | lake] [--seed N] [--minutes M]
"""

import argparse
import sys
import tempfile
from pathlib import Path

from support.lab import Lab, small_study, write_prices, write_study

from stress.crowd import crowd
from stress.found import Found
from stress.fuzz import KINDS, fuzz, numbers_for
from stress.kills import kills

TRIALS = ("kills", "crowd", *KINDS)


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="stress", description="Kills, crowds and damaged input.")
    parser.add_argument("trial", nargs="?", choices=TRIALS, help="default: all of them")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default: %(default)s)")
    parser.add_argument("--times", type=int, default=200, help="kills (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=None, help="of a crowd (default: 1) or a fuzzer (default: 10)")
    parser.add_argument("--first", type=int, default=0, help="number of a fuzzer's first case (default: %(default)s)")
    asked = parser.parse_args()
    faults = 0
    for trial in [asked.trial] if asked.trial else TRIALS:
        with tempfile.TemporaryDirectory(prefix="sdlab-stress-") as folder:
            found = _tried(trial, asked, Path(folder))
        print(f"{trial}, seed {asked.seed}: {found}", flush=True)
        faults += len(found.faults)
    return min(faults, 1)


def _tried(trial: str, asked: argparse.Namespace, folder: Path) -> Found:
    file = write_study(folder / "small.yaml", small_study(write_prices(folder / "prices")))
    lab = Lab(file, folder / "home")
    lab.sdlab("run")
    if trial == "kills":
        return kills(lab, asked.times, asked.seed)
    if trial == "crowd":
        return crowd(lab, asked.minutes or 1)
    scratch = folder / "scratch"
    scratch.mkdir()
    return fuzz(trial, lab, scratch, asked.seed, numbers_for(asked.minutes or 10, asked.first))


if __name__ == "__main__":
    sys.exit(main())
