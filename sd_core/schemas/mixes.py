"""Declarations of the tables of mixes: what they decided, and how strategies that trade them fared.

How weights are computed belongs in ``construction``.
"""

from typing import get_args

from sd_core.schemas.columns import (
    COUNT,
    FRACTION,
    FROM_ONE,
    NOT_NEGATIVE,
    RATIO,
    SHARE,
    YEARLY,
    day,
    number,
    one_of,
    text,
    ticker,
    whole,
)
from sd_core.schemas.kinds import FitStatus
from sd_core.schemas.table import LakeTable
from sd_core.study.mixes import Method
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
        "window": whole("Sessions whose returns count; NULL: all of the past.", COUNT, FROM_ONE, nullable=True),
        "keys": text("All that the study says of it, as JSON."),
    },
)

MIX_WEIGHT = LakeTable(
    name="mix_weight",
    description="Target weights that every mix decided on, of all assets.",
    key=("mix", "decided_session", "ticker"),
    columns={
        "mix": _MIX,
        "decided_session": day("Session at whose close they were decided on, the last of its period."),
        "ticker": ticker(),
        "weight": number("Target weight, in whole basis points; 0 for what is not held.", FRACTION, SHARE),
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
        "decided_session": day("Session at whose close it was decided, the last of its period."),
        "effective_session": day(
            "Next session, from whose close on the weights are in force; NULL: it is still to come.", nullable=True
        ),
        "last_seen_session": day("Last session whose prices were looked at."),
        "status": text(
            "How the mix's own fit ended: fitted; inaccurate, its limits kept; infeasible or failed, so that another "
            "answered; or not begun for want of a whole window, of rows, or of assets.",
            one_of(FitStatus),
        ),
        "answered_by": text("What the weights are: the mix's name, another mix's, previous, equal or until_fitted."),
        "detail": text("Why the mix itself did not answer; NULL: it did.", nullable=True),
        "rows": whole("Returns per asset that the mix's own fit saw.", COUNT, NOT_NEGATIVE),
        "assets": whole("Assets that could be held.", COUNT, NOT_NEGATIVE),
        "excluded": text("Assets that could not, each with the reason; NULL: none, or not looked at.", nullable=True),
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

MIX_TABLES = (MIX_WEIGHT, MIX_FIT)
