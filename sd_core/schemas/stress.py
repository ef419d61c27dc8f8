"""Declarations of the tables of stress: the episodes that are looked at, and how scenarios fared in them."""

from sd_core.schemas.columns import (
    AT_LEAST_TOTAL_LOSS,
    COUNT,
    FRACTION,
    FROM_ONE,
    MONEY,
    NOT_NEGATIVE,
    NOT_POSITIVE,
    RATIO,
    YEARLY,
    Column,
    day,
    flag,
    number,
    one_of,
    scenario,
    text,
    whole,
)
from sd_core.schemas.table import LakeTable, Table
from sd_core.study.stress import STRESSES_OF_MIXES

_EPISODE = text("Name of a window of the study, or drawdown_1 to drawdown_5 for the benchmark's deepest.")

STUDY_STRESS_WINDOW = LakeTable(
    name="study_stress_window",
    description="Windows of the past that the study looks at.",
    key=("episode",),
    columns={
        "position": whole("Place among the study's windows, from 1.", COUNT, FROM_ONE),
        "episode": text("Name of the window."),
        "from_date": day("First date."),
        "to_date": day("Last date."),
    },
)

STRESS_EPISODE = Table(
    name="stress_episode",
    layer="analytics",
    description="Stretches of stress: the benchmark's five deepest drawdowns, and the windows that the study names.",
    key=("episode",),
    columns={
        "episode": _EPISODE,
        "kind": text(
            "drawdown of the benchmark, from its peak to its trough; or window.", one_of(["drawdown", "window"])
        ),
        "position": whole("Place among its kind: by depth, or in the study.", COUNT, FROM_ONE),
        "first_session": day(
            "Session from whose close on it runs; NULL: missing says why there is none.", nullable=True
        ),
        "last_session": day("Session with whose close it ends; NULL as above.", nullable=True),
        "sessions": whole("Sessions after the first.", COUNT, FROM_ONE, nullable=True),
        "is_whole": flag("Whether the study has prices from its first to its last date.", nullable=True),
        "benchmark_return": number(
            "Of the benchmark, dividends included; NULL: it has no close at one of its ends.", FRACTION, nullable=True
        ),
        "benchmark_drawdown": number(
            "Deepest fall of the benchmark below its highest within it.", FRACTION, NOT_POSITIVE, nullable=True
        ),
        "recovery_session": day(
            "First session, from its last one on, at which the benchmark is where it was at the start of it; NULL: not "
            "yet.",
            nullable=True,
        ),
        "missing": text("Why it has no sessions; NULL: it has some.", nullable=True),
    },
)

REPORT_STRESS = Table(
    name="report_stress",
    layer="reports",
    description="How every scenario fared in every episode of stress, beside the benchmark and buy-and-hold.",
    key=("strategy", "reserve", "episode"),
    columns={
        **scenario(),
        "episode": _EPISODE,
        "kind": STRESS_EPISODE.columns["kind"],
        "first_session": day("Session from whose close on it runs."),
        "last_session": day("Session with whose close it ends."),
        "sessions": whole("Sessions after the first.", COUNT, FROM_ONE),
        "twr": number(
            "Time-weighted return; NULL: nothing was left at its beginning.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
        "benchmark_return": STRESS_EPISODE.columns["benchmark_return"],
        "over_buy_and_hold": number(
            "Return less that of buy-and-hold without a reserve; NULL: it is that, or the study has none.",
            FRACTION,
            nullable=True,
        ),
        "max_drawdown": number(
            "Deepest fall of time-weighted growth below its highest within the episode.",
            FRACTION,
            NOT_POSITIVE,
            nullable=True,
        ),
        "recovery_session": day(
            "First session, from its last one on, at which growth is where it was at its beginning; NULL: not yet.",
            nullable=True,
        ),
        "sessions_to_recover": whole(
            "Sessions from its last one to that; 0 where nothing was lost; NULL: not yet.",
            COUNT,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "lowest_cash_share": number(
            "Lowest share of the value that the bank was at a close; negative on credit; NULL: no value.",
            FRACTION,
            nullable=True,
        ),
        "skipped_buys": whole("Purchases refused after its first session.", COUNT, NOT_NEGATIVE),
    },
)

# After which a start is looked at again.
YEARS = (1, 3, 5)
_AFTER: tuple[tuple[str, str, str], ...] = (
    ("value", "Cash and holdings at the last session up to then", MONEY),
    ("gain", "That and what was withdrawn, less the capital and what was deposited", MONEY),
    ("twr", "Time-weighted return up to then", FRACTION),
    ("drawdown", "Deepest fall of time-weighted growth below its peak up to then", FRACTION),
)


def after_years() -> dict[str, Column]:
    """Return the columns of what a scenario came to some years after its start, NULL where the history ends before."""
    return {
        f"{name}_{years}y": number(
            f"{meaning}, {years} year{'s' if years > 1 else ''} after the start; NULL: the history ends before.",
            unit,
            *([NOT_POSITIVE] if name == "drawdown" else []),
            nullable=True,
        )
        for years in YEARS
        for name, meaning, unit in _AFTER
    }


STRESS_START = Table(
    name="stress_start",
    layer="reports",
    description="What the capital came to where it was deployed at the start of a year, after 1, 3 and 5 years.",
    key=("strategy", "reserve", "year"),
    columns={
        **scenario(),
        "year": whole("Calendar year of the start.", "year"),
        "start_session": day("First session of the year, or of the study, on which every asset has a bar."),
        **after_years(),
    },
)

STRESS_MIX = LakeTable(
    name="stress_mix",
    description="What the last target weights of every mix would do under stress.",
    key=("mix", "stress"),
    columns={
        "mix": text("Name of the mix in the study."),
        "stress": text("Name of an episode of stress; or draws, correlation, benchmark, largest."),
        "kind": text(
            "replay: the weights held through the episode; draws: the worst 1 % of 10,000 stretches of 21 sessions in "
            "block draws; correlation: all half-way to 1; benchmark: down 20 %; largest: the largest holding down 10 % "
            "in a session.",
            one_of(["replay", *STRESSES_OF_MIXES]),
        ),
        "assumed": text("What happens."),
        "decided_session": day("Session at whose close the weights were decided on."),
        "sessions": whole("Sessions that it takes; NULL: the stress has no length.", COUNT, FROM_ONE, nullable=True),
        "mix_return": number(
            "Return of the weights, held without trading; of draws the mean of the worst 1 %, of largest the mean; "
            "NULL: missing says why, or the stress is one of volatility.",
            FRACTION,
            nullable=True,
        ),
        "mix_return_low": number(
            "Of draws the worst, of benchmark with the upper end of beta, of largest the 5th percentile; else NULL.",
            FRACTION,
            nullable=True,
        ),
        "mix_return_high": number(
            "Of draws the best of the worst 1 %, of benchmark with the lower end of beta, of largest the 95th "
            "percentile; else NULL.",
            FRACTION,
            nullable=True,
        ),
        "max_drawdown": number(
            "Of a replay, the deepest fall below its highest within it; else NULL.",
            FRACTION,
            NOT_POSITIVE,
            nullable=True,
        ),
        "universe_return": number(
            "What the study's own weights return in the same; NULL: not of this kind, or missing says why.",
            FRACTION,
            nullable=True,
        ),
        "benchmark_return": number("What the benchmark returns in it; NULL: unknown.", FRACTION, nullable=True),
        "beta": number("Of benchmark, the slope of the weights' excess returns on its own.", RATIO, nullable=True),
        "beta_margin": number("Half the width of the 95 % interval of beta.", RATIO, NOT_NEGATIVE, nullable=True),
        "volatility": number("Of correlation, annualised, as it was.", YEARLY, NOT_NEGATIVE, nullable=True),
        "stressed_volatility": number(
            "Of correlation, annualised, with the higher correlations.", YEARLY, NOT_NEGATIVE, nullable=True
        ),
        "samples": whole("Stretches or sessions sampled.", COUNT, FROM_ONE, nullable=True),
        "observations": whole("Returns of the past that it is computed from.", COUNT, NOT_NEGATIVE, nullable=True),
        "missing": text("Why there is no outcome; NULL: there is one.", nullable=True),
    },
)

STRESS = (STRESS_EPISODE, REPORT_STRESS, STRESS_START)
