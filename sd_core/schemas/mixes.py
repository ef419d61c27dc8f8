"""Declarations of the tables of mixes: what they decided, and how strategies that trade them fared.

How weights are computed belongs in ``construction``.
"""

from typing import get_args

from sd_core.schemas.columns import (
    COUNT,
    FRACTION,
    FROM_ONE,
    MONEY,
    NOT_NEGATIVE,
    RATIO,
    SHARE,
    YEARLY,
    Column,
    corrected_verdicts,
    day,
    number,
    one_of,
    scenario,
    text,
    ticker,
    whole,
)
from sd_core.schemas.kinds import FitStatus, Trigger
from sd_core.schemas.table import LakeTable, Table
from sd_core.study.mixes import OTHERWISE, REGIMES, Method
from sd_core.study.parts import Every

_MIX = text("Name of the mix in the study.")

STUDY_MIX = LakeTable(
    name="study_mix",
    description="The study's mixes and how each decides.",
    key=("mix",),
    columns={
        "position": whole("Place among the study's mixes, from 1.", COUNT, FROM_ONE),
        "mix": _MIX,
        "method": text("How it computes weights.", one_of(get_args(Method))),
        "every": text("Period at whose last session it decides.", one_of(get_args(Every))),
        "window": whole(
            "Sessions whose returns count; NULL: all of the past, or weights of other mixes.",
            COUNT,
            FROM_ONE,
            nullable=True,
        ),
        "confirm": whole(
            "Sessions in a row on which another of its mixes must be called for; NULL: no mix of regimes.",
            COUNT,
            FROM_ONE,
            nullable=True,
        ),
        "keys": text("All that the study says of it, as JSON."),
    },
)

STUDY_MIX_PART = LakeTable(
    name="study_mix_part",
    description="The mixes that a mix of regimes or a blend combines.",
    key=("mix", "position"),
    columns={
        "mix": _MIX,
        "position": whole("Place among its parts, from 1.", COUNT, FROM_ONE),
        "part": text("Name of the mix that is combined."),
        "regime": text(
            "Regime of the market in which it is followed; otherwise: where none is known or named; NULL: a blend.",
            one_of([*REGIMES, OTHERWISE]),
            nullable=True,
        ),
        "share": number("Its share of the blend; NULL: a mix of regimes.", FRACTION, SHARE, nullable=True),
    },
)

MIX_WEIGHT = LakeTable(
    name="mix_weight",
    description="Target weights that every mix decided on, of all assets.",
    key=("mix", "decided_session", "ticker"),
    columns={
        "mix": _MIX,
        "decided_session": day("Session at whose close they were decided on."),
        "ticker": ticker(),
        "weight": number("Target weight, in whole basis points; 0 for what is not held.", FRACTION, SHARE),
        "unscaled": number("The same before volatility target and defence scaled all of them.", FRACTION, SHARE),
        "drifted": number("Weight just before: the last target as prices have moved it since.", FRACTION, SHARE),
        "risk_contribution": number(
            "Part of the expected volatility that it adds; NULL: no covariance covers what is held.",
            YEARLY,
            nullable=True,
        ),
    },
)

MIX_FIT = LakeTable(
    name="mix_fit",
    description="How every decision of a mix was reached, and what answered where the mix itself could not.",
    key=("mix", "decided_session"),
    columns={
        "mix": _MIX,
        "decided_session": day("Session at whose close it was decided."),
        "effective_session": day(
            "Next session, from whose close on the weights are in force; NULL: it is still to come.", nullable=True
        ),
        "last_seen_session": day("Last session whose prices were looked at."),
        "trigger": text(
            "What made it decide: period, whose last session it is; or switch: of the market's regime, of a defence, "
            "or of a mix that it combines.",
            one_of(Trigger),
        ),
        "status": text(
            "How the mix's own fit ended: fitted; inaccurate, its limits kept; infeasible or failed, so that another "
            "answered; or not begun: for want of a whole window, of rows, or of assets, since weights of other mixes "
            "are composed, or since those of before are kept between the ends of periods.",
            one_of(FitStatus),
        ),
        "answered_by": text("What the weights are: the mix's name, another mix's, previous, equal or until_fitted."),
        "follows": text("The mix that a mix of regimes follows; NULL: another method.", nullable=True),
        "detail": text("Why the mix itself did not answer; NULL: it did.", nullable=True),
        "rows": whole("Returns per asset that the mix's own fit saw.", COUNT, NOT_NEGATIVE),
        "assets": whole("Assets that could be held.", COUNT, NOT_NEGATIVE),
        "excluded": text("Assets that could not, each with the reason; NULL: none, or not looked at.", nullable=True),
        "scale": number("Share of all weights that volatility target and defence let it hold.", FRACTION, SHARE),
        "invested": number("Sum of the weights; the rest stays in the bank.", FRACTION, SHARE),
        "expected_volatility": number(
            "Annualised, by the covariance of the fit; NULL: none covers what is held.",
            YEARLY,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "expected_return": number(
            "Of assets and bank; NULL: the method estimates no returns, or none of what is held.", YEARLY, nullable=True
        ),
        "turnover": number("Half the sum of the changes of weights.", FRACTION, SHARE),
        "condition": number(
            "Largest over smallest eigenvalue of the covariance; NULL: none, or it is singular.",
            RATIO,
            FROM_ONE,
            nullable=True,
        ),
        "window_hash": text("Hash of all that the decision was made from; equal ones are not made again."),
    },
)

MIX_FRONTIER = LakeTable(
    name="mix_frontier",
    description="The efficient frontier at the end of every year, and the outcome of its portfolios in the year after.",
    key=("decided_session", "point"),
    columns={
        "decided_session": day("Last session of a year, at whose close it was drawn."),
        "point": whole("Portfolio, from the least volatility on, 1, to the highest expected return.", COUNT, FROM_ONE),
        "expected_return": number("Mean return that was expected, annualised; shrunk estimates of two years.", YEARLY),
        "expected_volatility": number("Volatility that was expected, annualised.", YEARLY, NOT_NEGATIVE),
        "realised_session": day("Last session of the year after; NULL: it is still to come.", nullable=True),
        "realised_return": number(
            "Mean return of the portfolio, annualised, bought at the close after decided_session and held until "
            "realised_session.",
            YEARLY,
            nullable=True,
        ),
        "realised_volatility": number("Annualised volatility of the same.", YEARLY, NOT_NEGATIVE, nullable=True),
        "assets": whole("Assets that it holds.", COUNT, FROM_ONE),
        "largest_weight": number("Largest weight of an asset.", FRACTION, SHARE),
        "window_hash": text("Hash of all that the row was made from; equal ones are not made again."),
    },
)

_RIVALS = one_of(["equal", "buy_and_hold"])


def _ends(measure: str, unit: str) -> dict[str, Column]:
    return {
        f"{measure}_difference_low": number("2.5th percentile of the difference.", unit, nullable=True),
        f"{measure}_difference_high": number("97.5th percentile of the difference.", unit, nullable=True),
        f"{measure}_difference_p_value": number("Two-sided p-value of no difference.", FRACTION, SHARE, nullable=True),
    }


SIMULATION_MIX_RIVAL = LakeTable(
    name="simulation_mix_rival",
    description="The same without deciding on weights: what it came to beside every scenario that trades a mix.",
    key=("strategy", "reserve", "comparison"),
    columns={
        **scenario(),
        "comparison": text("What decides on nothing.", _RIVALS),
        "final_value": number("Cash and holdings at the last close.", MONEY),
        "cagr": number("Compound annual growth rate.", YEARLY, nullable=True),
        "volatility": number("Annualised standard deviation of returns.", YEARLY, nullable=True),
        "sharpe": number("Annualised Sharpe ratio.", RATIO, nullable=True),
        "max_drawdown": number("Deepest fall of time-weighted growth below its peak.", FRACTION),
        **_ends("cagr", YEARLY),
        **_ends("sharpe", RATIO),
        "interval_missing": text("Why there is no interval.", nullable=True),
        "samples": whole("Bootstrap samples of the interval.", COUNT, nullable=True),
        "block_length": number("Mean length of their blocks.", "sessions", nullable=True),
    },
)

_OVER_SAMPLES = (
    "of that difference over paired bootstrap samples of the sessions of this history: what their order could have "
    "made of it, no forecast; NULL: verdict_missing says why."
)


def _beside(name: str, meaning: str, unit: str) -> dict[str, Column]:
    return {
        name: number(f"{meaning} of the scenario.", unit, nullable=True),
        f"comparison_{name}": number(f"{meaning} of the comparison.", unit, nullable=True),
        f"{name}_difference": number("The first less the second.", unit, nullable=True),
    }


REPORT_MIX = Table(
    name="report_mix",
    layer="reports",
    description="Did deciding on weights pay? Every scenario that trades a mix beside the same without deciding.",
    key=("strategy", "reserve", "comparison"),
    columns={
        **scenario(),
        "mix": _MIX,
        "method": STUDY_MIX.columns["method"],
        "comparison": text(
            "equal: the same strategy on equal weights of all assets, returned to whenever the mix decides; "
            "buy_and_hold: the study's weights at the same reserve, bought once.",
            _RIVALS,
        ),
        **_beside("sharpe", "Sharpe ratio", RATIO),
        "sharpe_difference_low": number(f"2.5th percentile {_OVER_SAMPLES}", RATIO, nullable=True),
        "sharpe_difference_high": number(f"97.5th percentile {_OVER_SAMPLES}", RATIO, nullable=True),
        **_beside("cagr", "Growth rate", YEARLY),
        "cagr_difference_low": number(f"2.5th percentile {_OVER_SAMPLES}", YEARLY, nullable=True),
        "cagr_difference_high": number(f"97.5th percentile {_OVER_SAMPLES}", YEARLY, nullable=True),
        **_beside("volatility", "Volatility", YEARLY),
        **_beside("max_drawdown", "Deepest fall", FRACTION),
        "decisions": whole("Decisions of the mix that changed its weights.", COUNT, NOT_NEGATIVE),
        "answered_by_itself": number(
            "Share of the mix's decisions from its first whole window on that it came to by itself; NULL: none.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "mix_turnover": number(
            "Half the sum of the changes that its decisions asked for, per year.", YEARLY, NOT_NEGATIVE, nullable=True
        ),
        "fees": number("Fees of all trades of the scenario.", MONEY, NOT_NEGATIVE),
        "p_value": number(
            "Two-sided p-value of no difference in the Sharpe ratio; NULL: there is no verdict, or they are the same.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        **corrected_verdicts(),
        "verdict": text(
            "By the Sharpe ratio: better or worse where the difference is significant and matters; too small: it does "
            "not matter; not significant: the data do not distinguish the two; the same: they differ by rounding at "
            "most; NULL: verdict_missing says why.",
            one_of(["better", "the same", "worse", "too small", "not significant"]),
            nullable=True,
        ),
        "verdict_missing": text("Why there is no verdict; NULL: there is one.", nullable=True),
    },
)

MIX_TABLES = (MIX_WEIGHT, MIX_FIT)
