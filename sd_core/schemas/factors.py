"""Declarations of the tables of factors: their returns, and what they explain of every scenario."""

from sd_core.schemas.columns import (
    COUNT,
    FRACTION,
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
    whole,
)
from sd_core.schemas.table import LakeTable, Table

_FREQUENCY = text("What a return covers.", one_of(["daily", "monthly"]))

FACTOR_RETURN = LakeTable(
    name="factor_return",
    description="Returns of the study's factors, from the month before its first session on.",
    key=("date", "factor"),
    columns={
        "date": day("Day, or the first of the month."),
        "factor": text("Name of the factor in the file."),
        "frequency": _FREQUENCY,
        "factor_return": number("Return; NULL: the file marks it as missing.", FRACTION, nullable=True),
    },
)


def _estimates() -> dict[str, Column]:
    return {
        "frequency": _FREQUENCY,
        "first_session": day("Session from whose close on its returns count; NULL: none does.", nullable=True),
        "last_session": day("Session up to whose close they do; NULL as above.", nullable=True),
        "observations": whole("Returns that the scenario and all factors have.", COUNT, NOT_NEGATIVE),
        "lag": whole(
            "Neighbours that a return may depend on; NULL: missing says why.", COUNT, NOT_NEGATIVE, nullable=True
        ),
        "alpha": number(
            "Excess return a year that the factors do not explain, not compounded; NULL as above.",
            YEARLY,
            nullable=True,
        ),
        "alpha_low": number("Lower end of its 95 % interval.", YEARLY, nullable=True),
        "alpha_high": number("Upper end of its 95 % interval.", YEARLY, nullable=True),
        "alpha_t": number("It over its standard error.", RATIO, nullable=True),
        "r_squared": number(
            "Share of the variance of excess returns that the factors explain.", FRACTION, SHARE, nullable=True
        ),
        "residual_volatility": number(
            "Annualised standard deviation of what they do not explain.", YEARLY, NOT_NEGATIVE, nullable=True
        ),
        "mean_excess_return": number("Mean excess return a year, not compounded.", YEARLY, nullable=True),
        "p_value": number("Two-sided p-value of an alpha of 0.", FRACTION, SHARE, nullable=True),
        "missing": text("Why nothing was estimated; NULL: it was.", nullable=True),
    }


FACTOR_FIT = LakeTable(
    name="factor_fit",
    description="The regression of every scenario's excess returns on those of factors.",
    key=("strategy", "reserve"),
    columns={**scenario(), **_estimates()},
)

FACTOR_EXPOSURE = LakeTable(
    name="factor_exposure",
    description="How far every scenario moves with each factor, and what that earned.",
    key=("strategy", "reserve", "factor"),
    columns={
        **scenario(),
        "factor": text("Name of the factor in the file."),
        "beta": number(
            "Slope of excess returns on the factor, the others held fixed; NULL: not estimated.", RATIO, nullable=True
        ),
        "beta_low": number("Lower end of its 95 % interval.", RATIO, nullable=True),
        "beta_high": number("Upper end of its 95 % interval.", RATIO, nullable=True),
        "beta_t": number("It over its standard error.", RATIO, nullable=True),
        "factor_mean": number("Mean return of the factor a year, not compounded.", YEARLY, nullable=True),
        "contribution": number("Beta x that.", YEARLY, nullable=True),
    },
)

_FIT = FACTOR_FIT.columns

REPORT_FACTOR = Table(
    name="report_factor",
    layer="reports",
    description="What known factors explain of every scenario's excess return, and what is left.",
    key=("strategy", "reserve"),
    columns={
        **{name: _FIT[name] for name in _FIT if name not in ("p_value", "missing")},
        "p_value": _FIT["p_value"],
        **corrected_verdicts(),
        "verdict": text(
            "By the corrected p-value of alpha: above or below what the factors explain, or not significant: the data "
            "do not distinguish it from 0; NULL: missing says why.",
            one_of(["above", "below", "not significant"]),
            nullable=True,
        ),
        "missing": _FIT["missing"],
    },
)

FACTOR_TABLES = (FACTOR_RETURN, FACTOR_FIT, FACTOR_EXPOSURE)
