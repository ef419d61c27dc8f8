"""Declarations of the tables about living from a portfolio: what withdrawals it pays, and from which start."""

from sd_core.schemas import lake
from sd_core.schemas.columns import (
    COUNT,
    FRACTION,
    FROM_ONE,
    MONEY,
    SHARE,
    YEARLY,
    Column,
    flag,
    number,
    scenario,
    text,
    whole,
)
from sd_core.schemas.table import Table

_OUTCOME = lake.WITHDRAWAL_OUTCOME.columns
_TERMS = {
    **scenario(),
    **{name: _OUTCOME[name] for name in ("withdrawal_of", "withdrawal_rate", "is_own")},
}
_KEY = ("strategy", "reserve", "is_own", "withdrawal_rate")
_TAXED = {
    "is_after_taxes": flag("Whether the study has taxes: then they are paid from the portfolio besides, in full too.")
}
WILSON = "95 % score interval after Wilson"


def _left(name: str, meaning: str, *, nullable: bool = False) -> dict[str, Column]:
    places = {"low": "5th percentile", "median": "median", "high": "95th percentile"}
    null = "; NULL: the study has no price index" if nullable else ""
    return {
        f"{name}_{place}": number(f"{meaning}: {words} over the bootstrap samples{null}.", MONEY, nullable=nullable)
        for place, words in places.items()
    }


REPORT_WITHDRAWAL = Table(
    name="report_withdrawal",
    layer="reports",
    description="How likely each scenario is to pay withdrawals to the end, and what is left then.",
    key=_KEY,
    columns={
        **_TERMS,
        **_TAXED,
        "paid_all": number(
            "Share of the bootstrap samples in which every withdrawal was paid in full; NULL: none fell due.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "paid_all_low": number(
            f"Monte Carlo error of it: lower end of the {WILSON}; NULL as above.", FRACTION, SHARE, nullable=True
        ),
        "paid_all_high": number("Upper end; NULL as above.", FRACTION, SHARE, nullable=True),
        "paid_share": number(
            "Mean over the bootstrap samples of what was paid over what fell due; NULL as above.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        **_left("final_value", "Cash and holdings at the last close, less taxes that are owed then"),
        **_left("real_value", "The same in the money of the first session", nullable=True),
        "years": _OUTCOME["years"],
        "histories": whole("Bootstrap samples.", COUNT, FROM_ONE),
    },
)

REPORT_WITHDRAWAL_YEAR = Table(
    name="report_withdrawal_year",
    layer="reports",
    description="How likely each scenario is to have left a withdrawal unpaid by the end of each year.",
    key=(*_KEY, "year"),
    columns={
        **_TERMS,
        "year": whole("Number of the year, from 1; it ends with an anniversary of the first session.", COUNT, FROM_ONE),
        "unpaid": number(
            "Share of the bootstrap samples in which a withdrawal of this year or an earlier one was not paid in full.",
            FRACTION,
            SHARE,
        ),
        "unpaid_low": number(f"Monte Carlo error of it: lower end of the {WILSON}.", FRACTION, SHARE),
        "unpaid_high": number("Upper end.", FRACTION, SHARE),
        "histories": whole("Bootstrap samples.", COUNT, FROM_ONE),
    },
)

REPORT_SAFE_WITHDRAWAL = Table(
    name="report_safe_withdrawal",
    layer="reports",
    description="The highest withdrawals that each scenario pays to the end in 90, 95 and 99 % of the samples.",
    key=("strategy", "reserve", "certainty"),
    columns={
        **scenario(),
        "certainty": number("Share of the bootstrap samples that pay all of it.", FRACTION, SHARE),
        **_TAXED,
        "safe_rate": number(
            "Safe withdrawal rate: the highest yearly rate of the capital that at least this share of the samples pays "
            "in full to the end, at most 0.02 percentage points below the true one; without the study's lump sums that "
            "go out; NULL: see missing.",
            YEARLY,
            nullable=True,
        ),
        "safe_rate_low": number(
            "Monte Carlo error of it: the highest rate whose share of samples that pay is at or above the certainty "
            f"with its whole {WILSON}; NULL: too few samples.",
            YEARLY,
            nullable=True,
        ),
        "safe_rate_high": number(
            "The highest rate whose interval still holds the certainty; NULL: not searched that far.",
            YEARLY,
            nullable=True,
        ),
        "safe_amount": number(
            "The safe rate as money of the first session; NULL as the rate.", "currency per year", nullable=True
        ),
        "missing": text("Why there is no safe rate; NULL: there is one.", nullable=True),
        "years": _OUTCOME["years"],
        "histories": whole("Bootstrap samples.", COUNT, FROM_ONE),
    },
)

WITHDRAWALS = (REPORT_WITHDRAWAL, REPORT_WITHDRAWAL_YEAR, REPORT_SAFE_WITHDRAWAL)
