"""What every benchmark prints and writes: tables in Markdown, as ``docs/benchmarks.md`` holds them, and JSON."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

LIBRARIES = ("numpy", "numba", "pyarrow", "duckdb")
# Wider than any table: rows are never broken, so that they can be copied.
WIDTH = 1_000


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code: processor, cores, system, Python and libraries."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in facts if line.startswith("model name")]
    return names[0] if names else platform.machine()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> None:
    """Print a Markdown table; the first ``texts`` columns hold text, the others numbers."""
    table = Table(box=MARKDOWN)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < texts else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(width=WIDTH)
    with console.capture() as printed:
        console.print(table)
    print("\n".join(line.rstrip() for line in printed.get().splitlines() if line.strip()))


def print_machine(facts: Mapping[str, Any]) -> None:
    """Print the machine in one line."""
    libraries = ", ".join(f"{name} {facts[name]}" for name in LIBRARIES)
    print(f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}, {libraries}\n")


def run(description: str, measure: Callable[[], Mapping[str, Any]]) -> None:
    """Be the command line of a benchmark: measure and print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write machine and figures to this file")
    options = parser.parse_args()
    facts = machine()
    print_machine(facts)
    figures = measure()
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, **figures}, indent=1) + "\n", encoding="utf-8")
