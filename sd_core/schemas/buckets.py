"""Declarations of the tables of buckets: a core and its satellites, each book of them in the same columns.

A book is a plan of the study simulated over its history, an account, a bucket on paper, or the twin of a bucket of the
account; accounts and paper are of a ledger. Rules and their numbers belong in ``buckets``.
"""

from collections.abc import Callable
from typing import Any, get_args

from sd_core.schemas.columns import (
    AT_LEAST_TOTAL_LOSS,
    BELOW_ONE,
    COUNT,
    FRACTION,
    FROM_ONE,
    MONEY,
    NOT_NEGATIVE,
    PER_SHARE,
    POSITIVE,
    RATIO,
    SHARE,
    SHARES,
    YEARLY,
    Column,
    day,
    flag,
    from_to,
    number,
    one_of,
    session,
    text,
    texts,
    ticker,
    whole,
)
from sd_core.schemas.kinds import (
    LEG_ARRIVAL,
    LEG_CLOSE,
    Booking,
    BucketEvent,
    Dividends,
    ExitReason,
    Kind,
    Outcome,
    Probation,
    Regime,
    Signal,
    Sleep,
    Status,
    Transfer,
    words,
)
from sd_core.schemas.table import LakeTable, Table
from sd_core.study.satellites import Preset


def _book() -> Column:
    return text(
        "Name of the plan; of a ledger, live for the account, paper: before a bucket on paper, twin: before one of the "
        "account that is simulated."
    )


def _bucket() -> Column:
    return text("Name of the bucket; core: the core.")


def _of_satellite(column: Callable[..., Column], description: str, *unit_and_checks: Any) -> Column:
    return column(f"{description}; NULL: the core.", *unit_and_checks, nullable=True)


STUDY_BUCKET = LakeTable(
    name="study_bucket",
    description="The buckets of every book: the core, and the satellites with their settings and parameters.",
    key=("plan", "bucket"),
    columns={
        "plan": _book(),
        "position": whole("Place of a satellite in the plan, from 1; 0: the core.", COUNT, NOT_NEGATIVE),
        "bucket": _bucket(),
        "strategy": text("Strategy of the core; NULL: a satellite, or of a ledger.", nullable=True),
        "reserve": number("Reserve of the core; NULL as above.", FRACTION, BELOW_ONE, nullable=True),
        "budget": number("Share of all buckets that the satellites of the book may have together.", FRACTION, SHARE),
        "target": number(
            "Share of all buckets that it is to have: of a plan at the start, of a ledger now.", FRACTION, SHARE
        ),
        "min_pct": _of_satellite(number, "Share of all buckets below which it does not trade", FRACTION, SHARE),
        "tickers": texts("What it trades, in the study's order; of the core, nothing, since the universe is its."),
        "preset": _of_satellite(text, "Preset that its settings began as", one_of(get_args(Preset))),
        "slider_risk": _of_satellite(number, "Conservative to aggressive", FRACTION, SHARE),
        "slider_hold": _of_satellite(number, "Quick flips to patient holds", FRACTION, SHARE),
        "slider_entry": _of_satellite(number, "Buy dips to buy breakouts", FRACTION, SHARE),
        "slider_spread": _of_satellite(number, "Slider: concentrated to diversified", FRACTION, SHARE),
        "slider_profit": _of_satellite(number, "Let winners run to take profits early", FRACTION, SHARE),
        "toggle_trailing": _of_satellite(flag, "Whether a stop follows the highest close"),
        "toggle_regime": _of_satellite(flag, "Whether the regime of the market scales what is opened"),
        "toggle_harvest": _of_satellite(flag, "Whether what exceeds the target goes to the core each month"),
        "toggle_high_volatility": _of_satellite(flag, "Whether nothing is opened while volatility is high"),
        "dividends": _of_satellite(text, "What is done with dividends", one_of(words(Dividends))),
        "size": _of_satellite(number, "Most that a position costs, of its value", FRACTION, POSITIVE, SHARE),
        "stop": _of_satellite(number, "Distance of the stop below the entry price", FRACTION, POSITIVE, SHARE),
        "days": _of_satellite(whole, "Calendar days after which a position is closed", "days", FROM_ONE),
        "positions": _of_satellite(whole, "Positions that may be open", COUNT, FROM_ONE),
        "take": _of_satellite(number, "Distance of the take-profit above the entry price", FRACTION, POSITIVE),
        "trail": _of_satellite(
            number, "Distance of a trailing stop below the highest close", FRACTION, POSITIVE, SHARE
        ),
        "signal": _of_satellite(text, "What it buys on", one_of(words(Signal))),
        "breakout_window": whole(
            "Sessions whose highest close a breakout exceeds; NULL: another signal.", COUNT, FROM_ONE, nullable=True
        ),
        "dip_depth": number(
            "Distance below the highest close that is a dip; NULL: another signal.", FRACTION, POSITIVE, nullable=True
        ),
    },
)

# As published: what it trades is text there.
PUBLISHED_STUDY_BUCKET = Table(
    name="study_bucket",
    layer="staging",
    description=STUDY_BUCKET.description,
    key=STUDY_BUCKET.key,
    columns={
        **STUDY_BUCKET.columns,
        "tickers": text(
            "What it trades, in the study's order, separated by a comma and a space; NULL: the core.", nullable=True
        ),
    },
)

BUCKET_SIGNAL = Table(
    name="bucket_signal",
    layer="analytics",
    description="What the signal of every satellite says about each of its tickers at the close of every session.",
    key=("plan", "bucket", "session", "ticker"),
    columns={
        "plan": text("Name of the plan in the study."),
        "bucket": text("Name of the satellite."),
        "session": session(),
        "ticker": ticker(),
        "has_bar": flag("Whether the ticker has a bar in the session."),
        "close": number(
            "Last close at or before the session; there are no rows before the first one.", PER_SHARE, POSITIVE
        ),
        "highest_before": number(
            "Highest close of a breakout's window, or 63 for a dip, without this one; NULL: fewer, or another signal.",
            PER_SHARE,
            POSITIVE,
            nullable=True,
        ),
        "mean_close_200": number(
            "Mean close of the last 200 sessions; NULL: fewer.", PER_SHARE, POSITIVE, nullable=True
        ),
        "highest_close_252": number(
            "Highest close of the last 252 sessions; NULL: fewer.", PER_SHARE, POSITIVE, nullable=True
        ),
        **{
            f"return_{window}": number(
                f"Close over that of {window} sessions before, less 1; NULL: there is none.",
                FRACTION,
                AT_LEAST_TOTAL_LOSS,
                nullable=True,
            )
            for window in (21, 63, 252)
        },
        "median_return_63": number(
            "Median of return_63 over the satellite's tickers that have one.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
        **{
            f"volatility_{window}": number(
                f"Annualised standard deviation (ddof 1) of the last {window} changes of the close; NULL: fewer.",
                YEARLY,
                NOT_NEGATIVE,
                nullable=True,
            )
            for window in (21, 63, 252)
        },
        "median_volatility_63": number(
            "Median of volatility_63 over the satellite's tickers that have one.", YEARLY, NOT_NEGATIVE, nullable=True
        ),
        "last_dividend": number("Last dividend known; NULL: none.", PER_SHARE, POSITIVE, nullable=True),
        "is_dividend_kept": flag(
            "Whether none of the last three dividends known is below the one before; NULL: fewer.", nullable=True
        ),
        "next_ex_date": day("Next ex-date as the last ones project it; NULL: fewer than three known.", nullable=True),
        "is_entry": flag("Whether the signal asks for a purchase."),
        "conviction": number("Share of the signal's four confirmations that hold.", FRACTION, SHARE),
        "entry_order": number(
            "What purchases of the same conviction are made by, ascending; NULL comes last.", RATIO, nullable=True
        ),
        "is_exit": flag("Whether the trend that a position was bought for is lost."),
    },
)

BUCKET_LEDGER = LakeTable(
    name="bucket_ledger",
    description="Every movement of cash of every bucket; one between two buckets is a row of each.",
    key=("book", "seq"),
    columns={
        "book": _book(),
        "seq": whole("Place in the book's order of booking, from 1.", COUNT, FROM_ONE, stored="int32"),
        "session": day("Session at whose close it counts; NULL: a ledger's that no mark has followed.", nullable=True),
        "effective": day("Date from which it counts as stated; of a plan, the session."),
        "leg": whole(
            f"Part of the session: {LEG_ARRIVAL} cash that arrives, 0 the open, 1 resting orders within the bar; of "
            f"the core, 0 to 3 the path of the bar and {LEG_CLOSE} the close; of a ledger, 0 what moves shares.",
            "leg",
            from_to(LEG_ARRIVAL, LEG_CLOSE),
            stored="int8",
        ),
        "bucket": _bucket(),
        "counterparty": text("Bucket that the cash comes from or goes to; outside: none."),
        "ticker": text("Ticker of the asset; NULL: cash alone.", nullable=True),
        "kind": text("Kind of movement or refusal.", one_of(kind.name for kind in (*Kind, *Transfer, *Booking))),
        "quantity": number("Shares that came, or went where negative; NULL: none moved.", SHARES, nullable=True),
        "price": number(
            "Price of the trade; of a plan's DIVIDEND, dividend per share; NULL: none.",
            PER_SHARE,
            POSITIVE,
            nullable=True,
        ),
        "fee": number("Fee of the trade, part of amount.", MONEY, NOT_NEGATIVE),
        "amount": number("Cash received, or paid where negative.", MONEY),
        "cash_after": number("Cash of the bucket after the booking.", MONEY),
    },
)

BUCKET_DAILY = LakeTable(
    name="bucket_daily",
    description="Every bucket at the close of every session, with the factor that its rules give to the next one.",
    key=("book", "bucket", "session"),
    columns={
        "book": _book(),
        "bucket": _bucket(),
        "session": session(),
        "cash": number("Cash of the bucket.", MONEY),
        "value": number("Cash, and holdings at their last closes.", MONEY),
        "open_flows": number("Money that came from other buckets or outside before anything traded, net.", MONEY),
        "close_flows": number(
            "Money that came during the session, net: dividends sent to the core and withdrawals count as negative.",
            MONEY,
        ),
        "simple_return": number(
            "(value - close flows) / (previous value + open flows) - 1; NULL where the divisor is at most 1e-6.",
            FRACTION,
            nullable=True,
        ),
        "twr_index": number(
            "Product of 1 + simple_return so far; on the first session 1, less what the core pays for purchases.", RATIO
        ),
        "peak": number("Highest index so far, or the one that it was rebased to since.", RATIO),
        "drawdown": number("1 - index / peak; 0 or more.", FRACTION, NOT_NEGATIVE),
        "share": number("Value over that of all buckets.", FRACTION),
        "target": number("Share of all buckets that it is to have.", FRACTION, SHARE),
        "positions": whole("Assets held; NULL: the core.", COUNT, NOT_NEGATIVE, nullable=True, stored="int16"),
        "status": text("Where it is in its life; NULL: the core.", one_of(words(Status)), nullable=True),
        "share_level": number("Level by share; NULL: the core.", FRACTION, SHARE, nullable=True),
        "drawdown_level": number("Level by drawdown; NULL: the core.", FRACTION, SHARE, nullable=True),
        "cooldown": number("Factor of a cooldown, 1 without one; NULL: the core.", FRACTION, SHARE, nullable=True),
        "reawakening": number(
            "Factor of the stage, 1 after the last one; NULL: the core.", FRACTION, SHARE, nullable=True
        ),
        "regime_factor": number("Factor of the market regime; NULL: the core.", FRACTION, SHARE, nullable=True),
        "factor": number(
            "Factor of what is opened in the next session; NULL: the core.", FRACTION, SHARE, nullable=True
        ),
        "reasons": text("What moves the factor away from 1, in words; NULL: nothing.", nullable=True),
        "losses": whole(
            "Losses without a win between; NULL: the core.", COUNT, NOT_NEGATIVE, nullable=True, stored="int32"
        ),
        "stage": whole(
            "Wins since the last start or wake-up, at most 3; NULL: the core.",
            COUNT,
            from_to(0, 3),
            nullable=True,
            stored="int8",
        ),
        "locked_until": day("Date from which a test position may be opened; NULL: no breaker holds.", nullable=True),
        "cooldown_until": day("Date on which the cooldown ends; NULL: none.", nullable=True),
    },
)

BUCKET_TRADE = LakeTable(
    name="bucket_trade",
    description="Every position of every satellite from its entry to its exit.",
    key=("book", "bucket", "trade"),
    columns={
        "book": _book(),
        "bucket": _bucket(),
        "trade": whole(
            "Number of the position in the bucket's order of entries, from 1.", COUNT, FROM_ONE, stored="int32"
        ),
        "ticker": ticker(),
        "opened": day("Session of the entry."),
        "closed": day("Session of the exit; NULL: open.", nullable=True),
        "entry_price": number("Price of the entry; NULL: shares without cost.", PER_SHARE, POSITIVE, nullable=True),
        "exit_price": number("Price of the exit; NULL: open.", PER_SHARE, POSITIVE, nullable=True),
        "quantity": number("Shares bought, with dividends that were reinvested.", SHARES, POSITIVE),
        "cost": number("What they cost, with fees.", MONEY, NOT_NEGATIVE),
        "proceeds": number("Proceeds of the exit, less its fee; NULL: open.", MONEY, nullable=True),
        "dividends": number("Dividends while they were held.", MONEY, NOT_NEGATIVE),
        "trade_return": number("(proceeds + dividends) / cost - 1; NULL: open.", FRACTION, nullable=True),
        "outcome": text("Whether it is a loss, a win, or neither; NULL: open.", one_of(words(Outcome)), nullable=True),
        "exit_reason": text(
            "Why it was closed; NULL: open, or a ledger that does not know.", one_of(words(ExitReason)), nullable=True
        ),
        "conviction": number(
            "Share of the signal's confirmations that held; NULL: a ledger's, of no known price.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "factor": number(
            "Factor that it was opened at; NULL: a ledger that does not know.", FRACTION, NOT_NEGATIVE, nullable=True
        ),
        "premium": number(
            "Price of the entry over the asset's highest earlier close, less 1; NULL: unknown.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
        "regime": text("Market regime at the close before the entry.", one_of(words(Regime))),
        "is_on_strategy": flag(
            "Whether a signal of the bucket's strategy asked for it; NULL: a ledger's, of no known price.",
            nullable=True,
        ),
        "is_test": flag(
            "Whether it was the test position of a breaker; NULL: a ledger that does not know.", nullable=True
        ),
    },
)

BUCKET_EVENT = LakeTable(
    name="bucket_event",
    description="What the rules changed about a satellite, and by which number.",
    key=("book", "seq"),
    columns={
        "book": _book(),
        "seq": whole("Place in the book's order of events, from 1.", COUNT, FROM_ONE, stored="int32"),
        "session": session(),
        "bucket": _bucket(),
        "event": text("What happened.", one_of(words(BucketEvent))),
        "cause": text(
            "Which rule put it to sleep; NULL: another event.",
            one_of([cause for cause in words(Sleep) if cause != "none"]),
            nullable=True,
        ),
        "value": number("The number that the rule looked at; NULL: not kept.", RATIO, nullable=True),
        "until": day("Date on which it ends by itself; NULL: it does not.", nullable=True),
    },
)

BUCKET_EVALUATION = LakeTable(
    name="bucket_evaluation",
    description="Every satellite at every evaluation: what was measured, and its target before and after.",
    key=("book", "session", "bucket"),
    columns={
        "book": _book(),
        "session": session(),
        "bucket": _bucket(),
        "status": text("Where it is in its life, after the evaluation.", one_of(words(Status))),
        "probation": text("What the evaluation made of its probation.", one_of(words(Probation))),
        "trades": whole("Positions closed in the last 252 sessions.", COUNT, NOT_NEGATIVE, stored="int32"),
        **{
            f"{measure}{suffix}": number(f"{words} of {window}; NULL: there is none.", RATIO, nullable=True)
            for suffix, window in (
                ("", "the last 252 sessions, or since it was active"),
                ("_recent", "the last 63 sessions"),
            )
            for measure, words in (
                ("sharpe", "Sharpe ratio"),
                ("sortino", "Sortino ratio"),
                ("profit_factor", "Gains over losses of the positions closed"),
                ("win_rate", "Share of wins among the positions closed"),
                ("calmar", "Growth rate over the deepest fall"),
            )
        },
        "score": number("0.75 of the score of the long window and 0.25 of that of the short one.", RATIO),
        "is_member": flag("Whether its target takes part."),
        "weight": number("Score that it enters with; NULL: no member.", RATIO, NOT_NEGATIVE, nullable=True),
        "target_before": number("Target before.", FRACTION, SHARE),
        "clamped": number("Share of the pool within bounds; NULL: no member.", FRACTION, SHARE, nullable=True),
        "target": number("Target from now on.", FRACTION, SHARE),
        "value": number("Value at the close before.", MONEY),
        "cash": number("Cash at the close before.", MONEY),
        "moved": number(
            "Money that came from other satellites, or went to them and to the core where negative.", MONEY
        ),
        "is_told_apart": flag(
            "Whether the best and the worst Sharpe ratio of the members differ by more than chance; NULL: unknown, "
            "for fewer than two have one.",
            nullable=True,
        ),
        "is_budget_too_small": flag("Whether the smallest targets of all members exceed the pool."),
    },
)

# What plans leave, and ledgers too.
BUCKET_TABLES = (BUCKET_LEDGER, BUCKET_DAILY, BUCKET_TRADE, BUCKET_EVENT, BUCKET_EVALUATION)

BUCKET_BALANCE = LakeTable(
    name="bucket_balance",
    description="What every bucket of a ledger has of every currency and instrument now, and what was stated from "
    "outside.",
    key=("book", "unit", "bucket"),
    columns={
        "book": _book(),
        "unit": text("Currency or instrument."),
        "bucket": text("Name of the bucket; outside: the world beyond, as activities state it."),
        "is_currency": flag("Whether it is a currency."),
        "quanta": whole("What it has, in whole quanta; of outside, what it gave, as a negative number.", "quanta"),
        "amount": number("The same in units.", "units"),
        "price": number(
            "Last marked price of an instrument, in its quote currency; NULL: none.", PER_SHARE, POSITIVE, nullable=True
        ),
        "marked": day("Session of that price; NULL: none.", nullable=True),
    },
)

BUCKET_RECONCILIATION = LakeTable(
    name="bucket_reconciliation",
    description="What the broker had of each unit at every reconciliation of a ledger, and what was booked.",
    key=("book", "entry", "unit"),
    columns={
        "book": _book(),
        "entry": whole("Number of the ledger's entry.", COUNT, FROM_ONE),
        "effective": day("Date of the reconciliation."),
        "unit": text("Currency or instrument."),
        "actual": number("What the broker had.", "units"),
        "booked": number("What the buckets had together.", "units"),
        "held": number("What activities add that are stored and not booked.", "units"),
        "difference": number("actual - booked - held.", "units"),
        "action": text("What was done about it.", one_of(["none", "corrected", "blocked"])),
    },
)

BUCKET_TWIN = LakeTable(
    name="bucket_twin",
    description="Which satellites of the account have a twin, a book of the same satellite simulated, and from when.",
    key=("book", "bucket"),
    columns={
        "book": _book(),
        "bucket": _bucket(),
        "changed": day("Date on which its settings or tickers were last changed."),
        "since": day("Marked session from which it is simulated; NULL: it is not.", nullable=True),
        "last_session": day("Last marked session up to which it is; NULL: it is not.", nullable=True),
        "missing": text("Why it is not simulated; NULL: it is.", nullable=True),
    },
)

LEDGER_TABLES = (BUCKET_BALANCE, BUCKET_RECONCILIATION, BUCKET_TWIN)
