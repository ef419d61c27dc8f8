"""Declarations of the staging layer: the lake's tables as stored, and the two that a query changes."""

from sd_core.schemas import lake
from sd_core.schemas.buckets import BUCKET_TABLES, LEDGER_TABLES, PUBLISHED_STUDY_BUCKET
from sd_core.schemas.columns import COUNT, FROM_ONE, text, whole
from sd_core.schemas.factors import FACTOR_EXPOSURE, FACTOR_RETURN
from sd_core.schemas.mixes import MIX_FRONTIER, MIX_TABLES, STUDY_MIX, STUDY_MIX_PART
from sd_core.schemas.paper import PAPER_TABLES
from sd_core.schemas.selection import SELECTION_TABLES
from sd_core.schemas.signals import BOOSTED_RETURN, SIGNAL_INPUTS, STUDY_SIGNAL
from sd_core.schemas.stress import STRESS_MIX, STUDY_STRESS_WINDOW
from sd_core.schemas.table import Table

SIMULATION_LOTS = Table(
    name="simulation_lots",
    layer="staging",
    description="Every buyback lot of every scenario, in as many parts as it was sold in.",
    key=("strategy", "reserve", "lot", "part"),
    columns={
        **{name: lake.SIMULATION_LOTS.columns[name] for name in ("strategy", "reserve", "lot")},
        "part": whole("Number of the part in the order of sale, from 1; what is still open comes last.", COUNT),
        **{
            name: column
            for name, column in lake.SIMULATION_LOTS.columns.items()
            if name not in ("strategy", "reserve", "lot")
        },
    },
)

INCOME_SUBSET = Table(
    name="income_subset",
    layer="staging",
    description=lake.INCOME_SUBSET.description,
    key=lake.INCOME_SUBSET.key,
    columns={
        **{name: lake.INCOME_SUBSET.columns[name] for name in ("subset", "strategy", "reserve")},
        "tickers": text("Its assets, in the study's order, separated by a comma and a space."),
        "assets": whole("Number of its assets.", COUNT, FROM_ONE),
        **{
            name: lake.INCOME_SUBSET.columns[name]
            for name in ("average_correlation", "mean_volatility", "income_variability")
        },
    },
)

STAGING = (
    lake.STUDY.published(),
    lake.STUDY_ASSET.published(),
    lake.STUDY_STRATEGY.published(),
    lake.STRATEGY_TARGET.published(),
    STUDY_MIX.published(),
    STUDY_STRESS_WINDOW.published(),
    STUDY_MIX_PART.published(),
    STUDY_SIGNAL.published(),
    PUBLISHED_STUDY_BUCKET,
    lake.SESSIONS.published(),
    lake.RATES.published(),
    lake.PRICES.published(),
    lake.SATELLITE_PRICES.published(),
    lake.SIMULATION_PARTITION.published(),
    lake.SIMULATION_PATH_BAND.published(),
    lake.SIMULATION_LEDGER.published(),
    lake.SIMULATION_DAILY.published(),
    SIMULATION_LOTS,
    lake.RESERVE_BOOTSTRAP.published(),
    lake.WITHDRAWAL_OUTCOME.published(),
    lake.WITHDRAWAL_LIMIT.published(),
    INCOME_SUBSET,
    lake.START_DATE_OUTCOME.published(),
    lake.SIMULATION_TAX_LOTS.published(),
    STRESS_MIX.published(),
    lake.CORRELATION_FREQUENCY.published(),
    FACTOR_RETURN.published(),
    FACTOR_EXPOSURE.published(),
    *(
        table.published()
        for table in (*SIGNAL_INPUTS, BOOSTED_RETURN, *MIX_TABLES, MIX_FRONTIER, *BUCKET_TABLES, *LEDGER_TABLES)
    ),
    *(table.published() for table in PAPER_TABLES),
    *(table.published() for table in SELECTION_TABLES),
)
