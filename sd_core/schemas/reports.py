"""Declarations of the reports layer: the tables that people read."""

from sd_core.schemas.analytics import SIMULATION_METRICS
from sd_core.schemas.columns import COUNT, FRACTION, NOT_NEGATIVE, day, flag, number, text, whole
from sd_core.schemas.table import Table, ordered

REPORT_STRATEGY = Table(
    name="report_strategy",
    layer="reports",
    description="Every metric of a scenario over its whole period, and how it did against simply holding.",
    key=("strategy", "reserve"),
    schema=ordered(
        {
            # Whatever is told of a scenario by itself, and then what a comparison takes.
            **SIMULATION_METRICS.schema.columns,
            "excess_over_buy_and_hold": number(
                "Time-weighted return above that of simply holding without a reserve; NULL: not in the study, or not "
                "of the same prices.",
                FRACTION,
                nullable=True,
            ),
            "excess_over_same_reserve": number(
                "Time-weighted return above that of simply holding at the same reserve; NULL as above.",
                FRACTION,
                nullable=True,
            ),
            "prices_version": text("Version of the prices that the scenario was simulated on."),
            "is_current": flag("Whether the scenario was simulated on today's prices and study."),
        }
    ),
)

REPORT_DATA_QUALITY = Table(
    name="report_data_quality",
    layer="reports",
    description="What is wrong with prices, or must be known to read the results rightly.",
    key=("ticker", "rule", "first_session", "detail"),
    schema=ordered(
        {
            "ticker": text("Ticker concerned; NULL: the study as a whole.", nullable=True),
            "rule": text("Name of the rule that speaks."),
            "first_session": day("First session concerned."),
            "last_session": day("Last session concerned."),
            "sessions": whole("How many sessions are concerned.", COUNT, NOT_NEGATIVE),
            "detail": text("The finding in a sentence."),
        }
    ),
)

REPORTS = (REPORT_STRATEGY, REPORT_DATA_QUALITY)
