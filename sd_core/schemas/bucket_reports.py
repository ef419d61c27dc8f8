"""Declarations of what is reported of buckets: each over its whole period, by what it traded, by regime.

What they are made from, the tables of the lake, is declared in ``buckets``.
"""

from collections.abc import Callable
from typing import Any

from sd_core.schemas.buckets import BUCKET_DAILY
from sd_core.schemas.columns import (
    BELOW_ONE,
    COUNT,
    FRACTION,
    MONEY,
    NOT_NEGATIVE,
    NOT_POSITIVE,
    RATIO,
    SHARE,
    YEARLY,
    Column,
    correlation,
    day,
    flag,
    number,
    session,
    text,
    ticker,
    whole,
)
from sd_core.schemas.reports import REPORT_REGIME
from sd_core.schemas.table import Table

_OF_DAYS = BUCKET_DAILY.columns
_NO_TRADE = "NULL: none was closed, or the core"


def _bucket() -> dict[str, Column]:
    return {"book": _OF_DAYS["book"], "bucket": _OF_DAYS["bucket"]}


def _span() -> dict[str, Column]:
    return {
        "first_session": day("First session of the book."),
        "last_session": day("Last session of the book."),
        "is_of_a_year": flag("Whether these are 360 days or more apart: for less, what is per year is no rate."),
    }


def _growth() -> dict[str, Column]:
    return {
        "twr": number("Time-weighted return, whatever money came and went.", FRACTION),
        "cagr": number("Growth per year of 365.25 days, compounded; NULL: a single session.", YEARLY, nullable=True),
        "volatility": number(
            "Annualised standard deviation of returns; NULL: fewer than two, or marks that are days apart.",
            YEARLY,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "sharpe": number(
            "Annualised mean excess return over its standard deviation; NULL: all alike, marks that are days apart, or "
            "sessions without a rate.",
            RATIO,
            nullable=True,
        ),
    }


REPORT_BOOK = Table(
    name="report_book",
    layer="reports",
    description="Every book as a whole, core and satellites together; a plan's beside the scenario that its core is "
    "without them.",
    key=("book",),
    columns={
        "book": _OF_DAYS["book"],
        **_span(),
        "net_flows": number("Money that came in, less what went out, the capital included.", MONEY),
        "final_value": number("Value of all buckets at the last close.", MONEY),
        **_growth(),
        "max_drawdown": number("Deepest fall below the peak.", FRACTION, NOT_POSITIVE),
        "satellite_share": number(
            "Share of the satellites at the last close: the most that they can lose; NULL: a value of 0, or no core.",
            FRACTION,
            nullable=True,
        ),
        "mean_satellite_share": number("The same on average; NULL as above.", FRACTION, nullable=True),
        "highest_satellite_share": number("The highest of any close; NULL as above.", FRACTION, nullable=True),
        "core_strategy": text("Strategy of a plan's core; NULL: a book of a ledger.", nullable=True),
        "core_reserve": number("Reserve of a plan's core; NULL as above.", FRACTION, BELOW_ONE, nullable=True),
        "core_cagr": number(
            "Growth per year of the scenario with the core's strategy and reserve, without satellites; NULL: outdated, "
            "or no plan.",
            YEARLY,
            nullable=True,
        ),
        "core_volatility": number("Volatility of that scenario; NULL as above.", YEARLY, NOT_NEGATIVE, nullable=True),
        "core_sharpe": number("Sharpe ratio of that scenario; NULL as above.", RATIO, nullable=True),
        "core_max_drawdown": number(
            "Deepest fall of that scenario; NULL as above.", FRACTION, NOT_POSITIVE, nullable=True
        ),
    },
)

REPORT_BUCKET = Table(
    name="report_bucket",
    layer="reports",
    description="Every bucket of every book over its whole period: growth, risk, its trades, and how it is at the last "
    "close.",
    key=("book", "bucket"),
    columns={
        **_bucket(),
        **_span(),
        "net_flows": number("Money that came to it, less what went out, the opening included.", MONEY),
        "final_value": number("Value at the last close.", MONEY),
        "profit": number("Final value less net flows.", MONEY),
        "share": number("Share of all buckets at the last close.", FRACTION),
        "target": number("Share of all buckets that it is to have, at the last close.", FRACTION, SHARE),
        **_growth(),
        "sortino": number(
            "Annualised mean excess return over its downside deviation; NULL: none below 0, or as sharpe.",
            RATIO,
            nullable=True,
        ),
        "max_drawdown": number("Deepest fall of the index below its peak, never rebased.", FRACTION, NOT_POSITIVE),
        "calmar": number("CAGR over the size of max_drawdown; NULL: there is none.", RATIO, nullable=True),
        "correlation_with_core": correlation(
            "Correlation of its returns with those of the core; NULL: the core, no core, or returns all alike."
        ),
        "mean_cash_share": number("Mean share of its value in cash.", FRACTION, nullable=True),
        "active_share": number(
            "Share of sessions that it ended active; NULL: the core.", FRACTION, SHARE, nullable=True
        ),
        "trades": whole("Positions closed; NULL: the core.", COUNT, NOT_NEGATIVE, nullable=True),
        "open_positions": whole(
            "Positions open at the last close; NULL: the core.", COUNT, NOT_NEGATIVE, nullable=True
        ),
        "wins": whole("Positions closed above cost; NULL: the core.", COUNT, NOT_NEGATIVE, nullable=True),
        "losses": whole(
            "Positions closed more than 1 % below cost; NULL: the core.", COUNT, NOT_NEGATIVE, nullable=True
        ),
        "win_rate": number(f"Wins over positions closed; {_NO_TRADE}.", FRACTION, SHARE, nullable=True),
        "mean_win": number("Mean return of wins; NULL: none.", FRACTION, NOT_NEGATIVE, nullable=True),
        "mean_loss": number("Mean return of losses; NULL: none.", FRACTION, NOT_POSITIVE, nullable=True),
        "best_trade": number(f"Highest return of a position closed; {_NO_TRADE}.", FRACTION, nullable=True),
        "worst_trade": number(f"Lowest return of a position closed; {_NO_TRADE}.", FRACTION, nullable=True),
        "profit_factor": number(
            "Sum of gains over that of losses, of positions closed; NULL: no loss.", RATIO, NOT_NEGATIVE, nullable=True
        ),
        "mean_days_of_wins": number("Mean calendar days that wins were held; NULL: none.", "days", nullable=True),
        "mean_days_of_losses": number("Mean calendar days that losses were held; NULL: none.", "days", nullable=True),
        "adherence": number(
            "Share of positions that a signal of its strategy asked for; NULL: no position of which that is known, or "
            "the core.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "status": _OF_DAYS["status"],
        "drawdown_now": number("1 - index / peak at the last close, a rebased peak included.", FRACTION, NOT_NEGATIVE),
        "peak_session": day(
            "Session at whose close the peak came to be what it is at the last one, a rebase included."
        ),
        "factor": _OF_DAYS["factor"],
        "reasons": _OF_DAYS["reasons"],
        "losses_in_a_row": whole(
            "Losses without a win between, at the last close; NULL: the core.", COUNT, NOT_NEGATIVE, nullable=True
        ),
    },
)

REPORT_BUCKET_ATTRIBUTION = Table(
    name="report_bucket_attribution",
    layer="reports",
    description="Where the profit of every satellite came from, by what it traded.",
    key=("book", "bucket", "ticker"),
    columns={
        **_bucket(),
        "ticker": ticker(),
        "trades": whole("Positions closed.", COUNT, NOT_NEGATIVE),
        "open_positions": whole("Positions open at the last close.", COUNT, NOT_NEGATIVE),
        "wins": whole("Positions closed above cost.", COUNT, NOT_NEGATIVE),
        "losses": whole("Positions closed more than 1 % below cost.", COUNT, NOT_NEGATIVE),
        "profit": number(
            "Proceeds and dividends less cost, fees included; what is open is worth its last close, of an account the "
            "last marked one, and left out where there is none.",
            MONEY,
        ),
        "open_profit": number("The part of it that is open.", MONEY),
        "mean_return": number("Mean return of positions closed; NULL: none.", FRACTION, nullable=True),
        "best_return": number("Highest of them; NULL as above.", FRACTION, nullable=True),
        "worst_return": number("Lowest of them; NULL as above.", FRACTION, nullable=True),
        "mean_days_held": number("Mean calendar days that they were held; NULL as above.", "days", nullable=True),
    },
)

_NO_TWIN = "NULL: it has no twin"


def _beside(description: str, kind: Callable[..., Column], *unit_and_checks: Any) -> Column:
    return kind(f"{description}; {_NO_TWIN}.", *unit_and_checks, nullable=True)


REPORT_BUCKET_TWIN = Table(
    name="report_bucket_twin",
    layer="reports",
    description="Every bucket of the account beside its twin: the same settings simulated, with the same money.",
    key=("book", "bucket"),
    columns={
        **_bucket(),
        "since": day(f"Marked session from which both are compared; {_NO_TWIN}.", nullable=True),
        "last_session": day(f"Last marked session of the comparison; {_NO_TWIN}.", nullable=True),
        "sessions": _beside("Marked sessions from the first to the last", whole, COUNT, NOT_NEGATIVE),
        "value": _beside("Value of the bucket at the last session", number, MONEY),
        "twin_value": _beside("Value of the twin then", number, MONEY),
        "value_difference": _beside("value - twin_value", number, MONEY),
        "twr_index": _beside(
            "Growth of the bucket from the first session on, whatever money came and went", number, RATIO
        ),
        "twin_twr_index": _beside("The same of the twin", number, RATIO),
        "twr": _beside("twr_index - 1", number, FRACTION),
        "twin_twr": _beside("twin_twr_index - 1", number, FRACTION),
        "twr_difference": _beside("twr - twin_twr", number, FRACTION),
        "max_drawdown": _beside("Deepest fall of the bucket's index since then", number, FRACTION, NOT_POSITIVE),
        "twin_max_drawdown": _beside("The same of the twin", number, FRACTION, NOT_POSITIVE),
        "trades": _beside("Positions that the bucket closed after the first session", whole, COUNT, NOT_NEGATIVE),
        "twin_trades": _beside("Positions that the twin closed", whole, COUNT, NOT_NEGATIVE),
        "wins": _beside("Wins among the bucket's", whole, COUNT, NOT_NEGATIVE),
        "twin_wins": _beside("Wins among the twin's", whole, COUNT, NOT_NEGATIVE),
        "open_positions": _beside("Positions of the bucket open at the last session", whole, COUNT, NOT_NEGATIVE),
        "twin_open_positions": _beside("The same of the twin", whole, COUNT, NOT_NEGATIVE),
        "missing": text("Why there is no twin; NULL: there is one.", nullable=True),
    },
)

BUCKET_RETURNS = Table(
    name="bucket_returns",
    layer="analytics",
    description="The return of every bucket and session above that of cash, and how far its index is below its highest "
    "so far.",
    key=("book", "bucket", "session"),
    columns={
        **_bucket(),
        "session": session(),
        "simple_return": _OF_DAYS["simple_return"],
        "excess_return": number(
            "simple_return above what cash earned; 0 where a satellite held nothing in the session; NULL as there.",
            FRACTION,
            nullable=True,
        ),
        "drawdown": number("Index over its highest so far, less 1, never rebased.", FRACTION, NOT_POSITIVE),
    },
)

BUCKET_REGIME = Table(
    name="bucket_regime",
    layer="analytics",
    description="How every bucket did by the regime of the market at the session before, and how its trades entered in "
    "it ended.",
    key=("book", "bucket", "regime"),
    columns={
        **_bucket(),
        **{
            name: REPORT_REGIME.columns[name]
            for name in ("regime", "sessions", "episodes", "mean_return", "volatility", "sharpe")
        },
        "trades": whole(
            "Positions that were entered in it and closed; NULL: the core.", COUNT, NOT_NEGATIVE, nullable=True
        ),
        "win_rate": number(f"Wins over these; {_NO_TRADE}.", FRACTION, SHARE, nullable=True),
        "mean_trade_return": number(f"Mean return of these; {_NO_TRADE}.", FRACTION, nullable=True),
    },
)

BUCKET_REPORTS = (
    REPORT_BOOK,
    REPORT_BUCKET,
    REPORT_BUCKET_ATTRIBUTION,
    REPORT_BUCKET_TWIN,
    BUCKET_RETURNS,
    BUCKET_REGIME,
)
