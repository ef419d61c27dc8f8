"""The grid of simulations: one partition per cash reserve and strategy that keeps more than its metrics.

Dagster names a partition by its dimensions in alphabetical order: ``r10|sd8`` is strategy sd8 at a reserve of 10 %.
"""

from collections.abc import Iterable

import dagster as dg

from sd_core.study.model import Study
from sd_core.study.scenario import Scenario, reserve_key


def simulation_grid(study: Study) -> dg.MultiPartitionsDefinition:
    """Return the partitions of a study: reserves ascending, strategies in the study's order."""
    return dg.MultiPartitionsDefinition(
        {
            "reserve": dg.StaticPartitionsDefinition([reserve_key(level) for level in study.reserve_levels]),
            "strategy": dg.StaticPartitionsDefinition(
                [name for name, strategy in study.strategies.items() if strategy.keep != "metrics"]
            ),
        }
    )


def partition_key(scenario: Scenario) -> dg.MultiPartitionKey:
    """Return the partition of a scenario."""
    return dg.MultiPartitionKey({"reserve": scenario.reserve_key, "strategy": scenario.strategy})


def scenarios_of(study: Study, keys: Iterable[str]) -> list[Scenario]:
    """Return the scenarios that partition keys name, in the study's order."""
    wanted = {str(key) for key in keys}
    return [scenario for scenario in study.scenarios if str(partition_key(scenario)) in wanted]


def range_tags(scenarios: Iterable[Scenario]) -> dict[str, str]:
    """Return the run tags that make one run cover the scenarios of a whole grid, a row, a column or a cell.

    A range on a grid is a product, from the first of every dimension to the last.
    """
    cells = list(scenarios)
    if not cells:
        return {}
    return {
        "dagster/asset_partition_range_start": str(partition_key(cells[0])),
        "dagster/asset_partition_range_end": str(partition_key(cells[-1])),
    }
