"""The two engines behind one signature, for tests that hold for both."""

from collections.abc import Callable

import plain_engine
import pytest

from sd_core.market.panel import Panel
from sd_core.simulation import engine as compiled_engine
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Rules

Engine = Callable[[Panel, Rules], SimulationResult]


def _compiled(panel: Panel, rules: Rules) -> SimulationResult:
    (result,) = compiled_engine.simulate(panel, [rules])
    return result


ENGINES: dict[str, Engine] = {"plain": plain_engine.simulate, "compiled": _compiled}


@pytest.fixture(params=list(ENGINES.values()), ids=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return ``simulate`` of one engine: a panel and the rules of one scenario to its result."""
    found: Engine = request.param
    return found
