"""Declarations of the tables of signals: what they are made of, what they say, and what they predicted.

How they are computed belongs in ``sql/signals``.
"""

from typing import get_args

from sd_core.schemas.columns import (
    AT_LEAST_TOTAL_LOSS,
    COUNT,
    FRACTION,
    FROM_ONE,
    NOT_NEGATIVE,
    NOT_POSITIVE,
    PER_SHARE,
    POSITIVE,
    RATIO,
    SHARE,
    YEARLY,
    Check,
    correlation,
    day,
    flag,
    from_to,
    number,
    one_of,
    session,
    text,
    ticker,
    whole,
)
from sd_core.schemas.table import LakeTable, Table
from sd_core.study.mixes import BOOSTED
from sd_core.study.signals import SignalKind

# Sessions over which it is looked whether a signal predicted returns; the same list is in forward_return.sql.
HORIZONS = (1, 5, 21, 63, 126)

_SIGNAL = text("Name of the signal in the study.")
_ANY_SIGNAL = text(f"Name of the signal in the study; {BOOSTED}: the forecast of boosted trees.")
_DECIDED = day("Session at whose close it is known, the last of its month.")
_HORIZON = whole(
    "Sessions over which returns are looked at.",
    "sessions",
    Check(f"one of {HORIZONS}", lambda values: values.isin(HORIZONS)),
)

STUDY_SIGNAL = LakeTable(
    name="study_signal",
    description="The study's signals and what each is.",
    key=("signal",),
    columns={
        "position": whole("Place among the study's signals, from 1.", COUNT, FROM_ONE),
        "signal": _SIGNAL,
        "kind": text("What it is.", one_of(get_args(SignalKind))),
        "keys": text("All that the study says of it, as JSON."),
    },
)

STUDY_SIGNAL_PART = LakeTable(
    name="study_signal_part",
    description="What the study's blends are made of.",
    key=("signal", "part"),
    columns={
        "signal": _SIGNAL,
        "position": whole("Place among the blend's parts, from 1.", COUNT, FROM_ONE),
        "part": text("Name of the signal that it takes."),
        "weight": number("Its fixed weight; NULL: it follows from the past.", RATIO, nullable=True),
    },
)

SIGNAL_FILE = LakeTable(
    name="signal_file",
    description="Values of signals that the study takes from files.",
    key=("signal", "date", "ticker"),
    columns={
        "signal": _SIGNAL,
        "date": day("Date from which the value is known."),
        "ticker": ticker(),
        "value": number("The value.", RATIO),
    },
)

SPILLOVER_PAIR = LakeTable(
    name="spillover_pair",
    description="Assets whose weeks have led those of others, in studies with a signal of the kind spillover.",
    key=("session", "leader", "follower"),
    columns={
        "session": _DECIDED,
        "leader": text("Ticker of the asset that leads."),
        "follower": text("Ticker of the asset that follows a week later."),
        "assets": whole("Assets of which every one was compared with every other one.", COUNT, FROM_ONE),
        "partial_correlation": correlation(
            "Of the follower's return with the leader's of the week before, given its own of the week before."
        ),
        "f_statistic": number("Granger's F for one lag.", RATIO, NOT_NEGATIVE),
        "p_value": number("Its p-value, below 5 % over the number of pairs.", FRACTION, SHARE),
        "slope": number("Change of the follower's return per unit of the leader's.", RATIO),
        "leader_return": number("Return of the leader in the week that ends here.", FRACTION, AT_LEAST_TOTAL_LOSS),
    },
)

BOOSTED_RETURN = LakeTable(
    name="boosted_return",
    description="What boosted trees expect of every asset, in studies with a mix that asks for it.",
    key=("session", "ticker"),
    columns={
        "session": _DECIDED,
        "ticker": ticker(),
        "value": number("Expected return in excess of cash over the next 21 sessions.", FRACTION),
        "fitted_session": day("Session in January at whose close the trees were fitted."),
        "rows": whole("Returns of assets that they were fitted to, each of 21 sessions that had ended.", COUNT),
        "fit_hash": text("Hash of all that the trees were fitted to; equal ones are not fitted again."),
    },
)

SIGNAL_SESSION = Table(
    name="signal_session",
    layer="signals",
    description="Sessions in studies with signals, which of them end a month, and what cash and benchmark came to.",
    key=("session",),
    columns={
        "session": session(),
        "number": whole("Place among the sessions, from 1.", COUNT, FROM_ONE),
        "is_decision": flag("Whether it is the last of its month, at whose close signals are known."),
        "log_cash": number("Logarithm of what 1 in cash has come to since the first session.", RATIO),
        "log_benchmark": number("The same of the benchmark; NULL: it has no price.", RATIO, nullable=True),
    },
)

ASSET_LEVEL = Table(
    name="asset_level",
    layer="signals",
    description="What every asset came to session by session in studies with signals, dividends reinvested.",
    key=("session", "ticker"),
    columns={
        "session": session(),
        "ticker": ticker(),
        "number": whole("Place of the session, from 1.", COUNT, FROM_ONE),
        "has_bar": flag("Whether the asset has a bar on the session."),
        "price": number("Last close.", PER_SHARE, POSITIVE),
        "highest_close": number("Highest close so far, this one included.", PER_SHARE, POSITIVE),
        "simple_return": number(
            "Return since the previous session; NULL on the first one.", FRACTION, AT_LEAST_TOTAL_LOSS, nullable=True
        ),
        "log_level": number("Logarithm of what 1 in it has come to since the first session.", RATIO),
    },
)

_NOT_YET = "NULL: the window is not full."

SIGNAL_INPUT = Table(
    name="signal_input",
    layer="signals",
    description="What signals are made of: measures of every asset at the close of the last session of each month.",
    key=("session", "ticker"),
    columns={
        "session": _DECIDED,
        "ticker": ticker(),
        "is_investable": flag(
            "Whether it has a bar on the session and on 90 % of 252, its price moved on half of these, and its returns "
            "differ."
        ),
        "momentum": number(
            f"Return over 231 sessions, up to 21 ago. {_NOT_YET}", FRACTION, AT_LEAST_TOTAL_LOSS, nullable=True
        ),
        "return_252": number(f"Return over 252 sessions. {_NOT_YET}", FRACTION, AT_LEAST_TOTAL_LOSS, nullable=True),
        "return_21": number(f"Return over 21 sessions. {_NOT_YET}", FRACTION, AT_LEAST_TOTAL_LOSS, nullable=True),
        "cash_return_252": number(f"Return of cash over 252 sessions. {_NOT_YET}", FRACTION, nullable=True),
        "relative_return_126": number(
            f"Growth over 126 sessions relative to the benchmark's, less 1. {_NOT_YET}",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
        "volatility_252": number(f"Volatility of 252 returns. {_NOT_YET}", YEARLY, NOT_NEGATIVE, nullable=True),
        "distance_63": number(
            "Logarithm of the level less its mean over 63 sessions, in standard deviations. NULL: the window is not "
            "full, or the price has not moved.",
            RATIO,
            nullable=True,
        ),
        "drawdown": number("Last close over the highest so far, less 1.", FRACTION, NOT_POSITIVE),
        "ex_date": day("Last ex-date; NULL before the first.", nullable=True),
        "ex_gap": number(
            "Median of the last 8 gaps between ex-dates; NULL before the third.", "days", POSITIVE, nullable=True
        ),
    },
)

_VALUE = "Its value, in the unit of its kind; NULL where it has none."

SIGNAL_SINGLE = Table(
    name="signal_single",
    layer="signals",
    description="What every signal says that is made of prices and files, and not of other signals.",
    key=("session", "signal", "ticker"),
    columns={
        "session": _DECIDED,
        "signal": _SIGNAL,
        "ticker": ticker(),
        "value": number(_VALUE, RATIO, nullable=True),
        "z": number(
            "Standard deviations from the mean of investable assets; NULL: it has none.",
            RATIO,
            from_to(-3, 3),
            nullable=True,
        ),
    },
)

FORWARD_RETURN = Table(
    name="forward_return",
    layer="signals",
    description="What followed on each decision: returns of assets and cash from the close after it on.",
    key=("session", "ticker", "horizon"),
    columns={
        "session": day("Session of the decision, the last of its month."),
        "ticker": ticker(),
        "horizon": _HORIZON,
        "ended_session": day("Session whose close ends it; NULL: still to come.", nullable=True),
        "simple_return": number(
            "Return from the close of the session after the decision on; NULL: it has not ended, or the asset has no "
            "bar on that session, so that it could not be bought.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
        "cash_return": number("Return of cash meanwhile; NULL: it has not ended.", FRACTION, nullable=True),
    },
)

SIGNAL_WEIGHT = Table(
    name="signal_weight",
    layer="signals",
    description="How much of each of its parts a blend takes.",
    key=("session", "signal", "part"),
    columns={
        "session": _DECIDED,
        "signal": _SIGNAL,
        "position": whole("Place among the blend's parts, from 1.", COUNT, FROM_ONE),
        "part": text("Name of the signal that it takes."),
        "weight": number(
            "Its weight; of weights that follow from the past they sum to 1, and NULL says that no part has predicted "
            "anything yet.",
            RATIO,
            nullable=True,
        ),
    },
)

SIGNAL = Table(
    name="signal",
    layer="signals",
    description="What every signal says of every asset at the close of the last session of each month.",
    key=("session", "signal", "ticker"),
    columns={
        "session": _DECIDED,
        "signal": _ANY_SIGNAL,
        "ticker": ticker(),
        "value": number(_VALUE, RATIO, nullable=True),
        "percentile": number(
            "Share of investable assets with a lower value, ties and the asset itself counting half; NULL: it is none "
            "of them.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "z": number(
            "Standard deviations from the mean of investable assets, cut at 3; 0 where all have the same value; NULL: "
            "it is none of them, or they are fewer than five.",
            RATIO,
            from_to(-3, 3),
            nullable=True,
        ),
    },
)

SIGNAL_IC = Table(
    name="signal_ic",
    layer="signals",
    description="What every decision's signals predicted: rank correlations with the returns that followed.",
    key=("session", "signal", "horizon"),
    columns={
        "session": day("Session of the decision, the last of its month."),
        "signal": _ANY_SIGNAL,
        "horizon": _HORIZON,
        "ended_session": day("Session whose close ends the returns; NULL: still to come.", nullable=True),
        "assets": whole("Assets with a z and a return.", COUNT, NOT_NEGATIVE),
        "coefficient": correlation(
            "Spearman's rank correlation of values with returns; NULL: it has not ended, there are fewer than five "
            "assets, or all have the same value."
        ),
        "spread": number(
            "Mean return of the third of assets with the highest values, less that of the lowest third; NULL as the "
            "coefficient.",
            FRACTION,
            nullable=True,
        ),
    },
)

REPORT_SIGNAL = Table(
    name="report_signal",
    layer="reports",
    description="What signals have predicted: how their values went with the returns that followed, by horizon.",
    key=("signal", "horizon"),
    columns={
        "signal": _ANY_SIGNAL,
        "kind": text(f"What it is; {BOOSTED}: the forecast of boosted trees."),
        "horizon": _HORIZON,
        "first_session": day("First decision with a coefficient; NULL: none has one.", nullable=True),
        "last_session": day("The last one.", nullable=True),
        "decisions": whole("Decisions with a coefficient.", COUNT, NOT_NEGATIVE),
        "mean_assets": number("Assets per decision, on average.", COUNT, NOT_NEGATIVE, nullable=True),
        "mean_coefficient": correlation("Mean rank correlation of values with the returns that followed."),
        "coefficient_deviation": number(
            "Standard deviation of the coefficients (ddof 1).", RATIO, NOT_NEGATIVE, nullable=True
        ),
        "t_statistic": number(
            "Of the mean coefficient, by the standard error of Newey and West, uncorrected for small samples; NULL: "
            "fewer than 24 decisions, or coefficients that do not differ.",
            RATIO,
            nullable=True,
        ),
        "lags": whole("Decisions back up to which that error counts overlaps.", COUNT, FROM_ONE),
        "hit_rate": number("Share of coefficients above 0.", FRACTION, SHARE, nullable=True),
        "mean_spread": number(
            "Mean return over the horizon of the third with the highest values, less the lowest third's, before costs.",
            FRACTION,
            nullable=True,
        ),
        "spread_t_statistic": number("Of the mean spread, as that of the coefficient.", RATIO, nullable=True),
        "rank_turnover": number(
            "Mean change of percentiles from one decision to the next; independent ones would change by a third.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "half_life": number(
            "Decisions until the correlation of ranks with those of now has halved, as that of one decision with the "
            "next predicts; NULL: it is not above 0, or ranks do not change.",
            "months",
            POSITIVE,
            nullable=True,
        ),
        "verdict": text(
            "predicts: a t of the mean coefficient of 3 or more in size, either way; cannot tell: any other.",
            one_of(["predicts", "cannot tell"]),
        ),
    },
)

# In the lake: what the study says, and what Python computes.
STUDY_SIGNALS = (STUDY_SIGNAL, STUDY_SIGNAL_PART)
SIGNAL_INPUTS = (SIGNAL_FILE, SPILLOVER_PAIR)
SIGNALS = (
    SIGNAL_SESSION,
    ASSET_LEVEL,
    SIGNAL_INPUT,
    SIGNAL_SINGLE,
    FORWARD_RETURN,
    SIGNAL_WEIGHT,
    SIGNAL,
    SIGNAL_IC,
    REPORT_SIGNAL,
)
