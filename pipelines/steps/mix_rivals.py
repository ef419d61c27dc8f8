"""Compare a scenario that trades a mix with the same without deciding: what is noted of it for ``report_mix``.

Who its rivals are belongs in ``sd_core.simulation.mix_rivals``.
"""

from typing import Any

from pipelines.steps.equal_cash import certainty_of, plain
from sd_core.market.panel import Panel
from sd_core.metrics.measures import Calendar
from sd_core.metrics.performance import performance
from sd_core.metrics.returns import Rows, session_returns
from sd_core.simulation.mix_rivals import mix_rivals
from sd_core.simulation.rules import Every, Rules, universe_targets
from sd_core.study.model import Study


def mix_comparisons(study: Study, mix: str, panel: Panel, rules: Rules, daily: Rows) -> list[dict[str, Any]]:
    """Return a row of ``simulation_mix_rival`` for each rival of a scenario, as JSON can hold it."""
    found = mix_rivals(panel, rules, universe_targets(study), Every[study.mixes[mix].every.upper()])
    own = session_returns(daily, rules.capital)
    theirs = [session_returns(result.daily, rules.capital) for result in found.values()]
    calendar = Calendar.of(panel)
    return [
        plain(
            {
                "comparison": name,
                "final_value": result.daily["value"][-1],
                **performance(returns, calendar)._asdict(),
                **sure,
            }
        )
        for (name, result), returns, sure in zip(
            found.items(), theirs, certainty_of(own, theirs, calendar), strict=True
        )
    ]
