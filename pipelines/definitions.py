"""Dagster's entry point: the definitions of one study, the one that ``SD_STUDY`` names (default: the demo).

Every study has its own Dagster home, lake and warehouse. What the definitions are belongs in ``orchestration``.
"""

import dagster as dg

from pipelines.lab.home import open_home
from pipelines.orchestration.assembly import build_definitions


@dg.definitions
def defs() -> dg.Definitions:
    """Load the definitions of the study that the environment names."""
    return build_definitions(open_home())
