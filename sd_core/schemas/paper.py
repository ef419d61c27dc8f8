"""Tables about decisions on paper: what was frozen each night, and whether it would be decided otherwise now."""

from sd_core.schemas.columns import (
    COUNT,
    FRACTION,
    MONEY,
    NOT_NEGATIVE,
    PER_SHARE,
    POSITIVE,
    SHARE,
    SHARES,
    day,
    flag,
    number,
    one_of,
    scenario,
    text,
    ticker,
    whole,
)
from sd_core.schemas.kinds import Kind
from sd_core.schemas.table import LakeTable, Table

_DECIDED = {
    **scenario(),
    "decided_session": day("Session at whose close it was decided."),
}

PAPER_DECISION = LakeTable(
    name="paper_decision",
    description="What strategies on paper decided each night, frozen: never written again.",
    key=("strategy", "reserve", "decided_session", "ticker"),
    columns={
        **_DECIDED,
        "ticker": ticker(),
        "next_session": day("Session at whose close the weights are in force."),
        "weight": number("Target weight at that close, as decided.", FRACTION, SHARE),
        "worth": number("Worth of the holding at the close of the decision.", MONEY, NOT_NEGATIVE),
        "value": number("Worth of the whole portfolio at that close.", MONEY),
        "prices_version": text("SHA-256 of the prices that it was decided on."),
        "study_hash": text("Hash of all in the study that it depends on, prices apart."),
        "engine_version": text("Version of the engine."),
        "recorded_at": text("When it was frozen: date and time, UTC."),
        "in_time": flag("Whether that was before the next session opened: if not, it proves nothing."),
    },
)

PAPER_ORDER = LakeTable(
    name="paper_order",
    description="The orders that each decision on paper implied, frozen with it.",
    key=("strategy", "reserve", "decided_session", "place"),
    columns={
        **_DECIDED,
        "place": whole("Place among the orders of the decision, from 1.", COUNT),
        "ticker": ticker(),
        "kind": text("What the trade would be in the ledger.", one_of(kind.name for kind in Kind)),
        "trades_at": text(
            "limit: whenever the price reaches it; close: at the close of the next session, where quantity and price "
            "are those of an unchanged price.",
            one_of(["limit", "close"]),
        ),
        "quantity": number("Shares, below 0 for a sale.", SHARES),
        "price": number("The limit, or the last close.", PER_SHARE, POSITIVE),
        "fee": number("Fee of the trade at that price.", MONEY, NOT_NEGATIVE),
        "restraint": text("What keeps it from being made at its limit; NULL: nothing.", nullable=True),
    },
)

PAPER_TABLES = (PAPER_DECISION, PAPER_ORDER)

PAPER_CHANGE = Table(
    name="paper_change",
    layer="analytics",
    description="Decisions on paper that would be another one now, by asset: what was frozen, and what it would be.",
    key=("strategy", "reserve", "decided_session", "ticker"),
    columns={
        **{name: PAPER_DECISION.columns[name] for name in (*PAPER_DECISION.key, "weight", "worth")},
        "weight_now": number(
            "Target weight that would be decided now; NULL: there is none for the asset.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "worth_now": number(
            "Worth of the holding as simulated now; NULL: that is not a session any more, or the asset is not there.",
            MONEY,
            nullable=True,
        ),
    },
)

REPORT_PAPER = Table(
    name="report_paper",
    layer="reports",
    description="Since when a strategy on paper is out of sample, its return since, and what was decided otherwise.",
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        "decisions": whole("Decisions that are frozen.", COUNT, NOT_NEGATIVE),
        "in_time": whole("Those frozen before the next session opened.", COUNT, NOT_NEGATIVE),
        "changed": whole(
            "Those that would be another one now, see paper_change; NULL: cannot tell, as the scenario is not current.",
            COUNT,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "out_of_sample_from": day(
            "Session after the first decision that was frozen in time: what came before is no test; NULL: none was.",
            nullable=True,
        ),
        "sessions": whole("Sessions from it to the last one.", COUNT, NOT_NEGATIVE),
        "twr": number(
            "Time-weighted return over these sessions as simulated now; NULL: there are none.", FRACTION, nullable=True
        ),
    },
)
