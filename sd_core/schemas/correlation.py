"""Declarations of the analytics layer's correlations: by pair, as a whole, and their regime."""

from sd_core.schemas.columns import (
    COUNT,
    FRACTION,
    FROM_ONE,
    NOT_NEGATIVE,
    RATIO,
    SHARE,
    correlation,
    flag,
    number,
    one_of,
    session,
    text,
    whole,
)
from sd_core.schemas.lake import CORRELATION_FREQUENCY
from sd_core.schemas.table import Table

CORRELATION_PAIR = Table(
    name="correlation_pair",
    layer="analytics",
    description=(
        "The correlation of every two assets' log returns, by several windows and estimators. Capped: with more than "
        "50 assets only the window of 63 sessions, at ends of quarters."
    ),
    key=("session", "frequency", "estimator", "window", "ticker_a", "ticker_b"),
    columns={
        "session": session(),
        "frequency": text("What a return covers.", one_of(["daily", "weekly", "monthly"])),
        "estimator": text(
            "pearson: all returns of the window count alike; ewma: weights fall by 0.94 with every return.",
            one_of(["pearson", "ewma"]),
        ),
        "window": whole(
            "Length of the window in sessions, weeks or months; NULL: all returns so far.",
            "periods",
            FROM_ONE,
            nullable=True,
        ),
        "ticker_a": text("Ticker of the asset that comes first in the alphabet."),
        "ticker_b": text("Ticker of the other."),
        "correlation": correlation("Correlation; NULL: too few returns, or one of the assets did not move."),
        "observations": whole("Returns that it is computed from.", COUNT, NOT_NEGATIVE),
    },
)

CORRELATION_SUMMARY = Table(
    name="correlation_summary",
    layer="analytics",
    description="Summary of the correlations of the last 63 sessions over the universe as a whole.",
    key=("session",),
    columns={
        "session": session(),
        "assets": whole("Assets that moved, with at least half of the window's returns.", COUNT, NOT_NEGATIVE),
        "average_correlation": correlation("Mean over their pairs; NULL: there is none."),
        "average_within_crypto": correlation("Mean over pairs of class crypto; NULL: there is none."),
        "average_within_traditional": correlation("Mean over pairs of other classes; NULL: there is none."),
        "average_crypto_to_traditional": correlation(
            "Mean over pairs of one asset of class crypto and one of another; NULL: there is none."
        ),
        "diversification_ratio": number(
            "Mean volatility at the universe's target weights, whatever those of a strategy, over the volatility of "
            "the whole at these weights; NULL: fewer than two assets, or a pair without a correlation.",
            RATIO,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "absorption_ratio": number(
            "Share of the assets' variance in the first fifth of their principal components; NULL as above.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
    },
)

CORRELATION_REGIME = Table(
    name="correlation_regime",
    layer="analytics",
    description="Whether the average correlation is low, normal or high by what was known of it at each session.",
    key=("session",),
    columns={
        "session": session(),
        "average_correlation": correlation("As in correlation_summary."),
        "lower_tercile": correlation(
            "A third of the averages up to this session are no higher; NULL: fewer than 252 are known."
        ),
        "upper_tercile": correlation("Two thirds of them are no higher; NULL as above."),
        "regime": text(
            "low: average below lower_tercile; high: above upper_tercile; else normal. NULL: one is not known.",
            one_of(["low", "normal", "high"]),
            nullable=True,
        ),
        "is_switch": flag("Whether the regime is another one than at the last session that had one."),
        "high_correlation_probability": number(
            "Probability of the state of higher mean in a two-state Markov-switching model of the average, given "
            "those up to this session, with parameters fitted to those before its month; NULL: too few for a "
            "first fit.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
    },
)

CORRELATION_CLASS = Table(
    name="correlation_class",
    layer="analytics",
    description="How asset classes move together by the length of a return, from hourly closes.",
    key=("frequency", "class_a", "class_b"),
    columns={
        "frequency": CORRELATION_FREQUENCY.columns["frequency"],
        "class_a": text("Asset class that comes first in the alphabet."),
        "class_b": text("The other, or the same."),
        "pairs": whole("Pairs of one asset of each that have a correlation.", COUNT, NOT_NEGATIVE),
        "average_correlation": correlation("Mean of their correlations; NULL: none has one."),
        "lowest_correlation": correlation("The lowest of them."),
        "highest_correlation": correlation("The highest of them."),
        "observations": whole(
            "Returns of the pair that has the fewest; NULL: none has any.", COUNT, NOT_NEGATIVE, nullable=True
        ),
        "minutes_apart": number(
            "Between the closes of two assets at the same mark, mean of the pairs: where it is not 0, correlations of "
            "short returns come out too close to 0.",
            "minutes",
            NOT_NEGATIVE,
            nullable=True,
        ),
    },
)

CORRELATION = (CORRELATION_PAIR, CORRELATION_SUMMARY, CORRELATION_REGIME, CORRELATION_CLASS)
