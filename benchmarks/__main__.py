"""Every benchmark, one after the other: what ``make bench`` runs and ``docs/benchmarks.md`` holds.

python -m benchmarks [--json FILE]
"""

from typing import Any

from benchmarks import buckets, cores, correlation, engines, mixes, report, scale, selection, signals, warehouse


def main() -> dict[str, Any]:
    """Measure and print everything; return the figures for JSON."""
    return {
        **engines.main(),
        **scale.main(),
        **cores.main(),
        **warehouse.main(),
        **correlation.main(),
        **buckets.main(),
        **mixes.main(),
        **selection.main(),
        **signals.main(),
    }


if __name__ == "__main__":
    report.run("Run every benchmark.", main)
