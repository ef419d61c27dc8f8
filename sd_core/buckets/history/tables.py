"""The history of a plan as tables of the lake: the satellites' rows, and those of the core between them.

What the columns mean is declared in ``schemas.buckets``; how rows come about belongs in ``kernel`` and ``arrivals``.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sd_core.buckets import rules
from sd_core.buckets.history.contract import CORE, DAILY, LEDGER, OUTSIDE, History, Plan, Rows
from sd_core.market.arrays import Dates, Floats
from sd_core.schemas import buckets
from sd_core.schemas.kinds import (
    LEG_ARRIVAL,
    BucketEvent,
    ExitReason,
    Kind,
    Outcome,
    Probation,
    Reason,
    Regime,
    Sleep,
    Status,
    Transfer,
)
from sd_core.schemas.table import LakeTable
from sd_core.simulation.results import SimulationResult
from sd_core.study import satellites

# Money of which less is the rounding of sums.
DUST = 1e-9

_NAMES = {
    "status": Status,
    "event": BucketEvent,
    "cause": Sleep,
    "outcome": Outcome,
    "exit_reason": ExitReason,
    "regime": Regime,
    "probation": Probation,
}
# Whole numbers that the core has none of.
_OF_SATELLITES = ("positions", "status", "reasons", "losses", "stage")
_NO_REASONS = 0


def to_tables(
    plan: Plan,
    tickers: tuple[str, ...],
    sessions: Dates,
    deposits: Floats,
    history: History,
    core_tickers: tuple[str, ...],
    core: SimulationResult,
) -> dict[str, pa.Table]:
    """Return the rows of a plan as Arrow tables with the columns of the lake, by their names.

    Args:
        plan, deposits: what was simulated.
        tickers: of the satellites' panel.
        sessions: of both panels.
        history: what came of it.
        core_tickers: of the core's panel.
        core: its rows, from the first session to the last.
    """
    ledger = _merged(history, _core_ledger(history, deposits, core.ledger, len(tickers)))
    daily = np.concatenate([_core_daily(plan, history), history.daily])
    return name_rows(
        plan,
        (*tickers, *core_tickers),
        sessions,
        (
            (buckets.BUCKET_LEDGER, ledger),
            (buckets.BUCKET_DAILY, daily[np.argsort(daily["session"], kind="stable")]),
            (buckets.BUCKET_TRADE, history.trades),
            (buckets.BUCKET_EVENT, history.events),
            (buckets.BUCKET_EVALUATION, history.evaluations),
        ),
    )


def name_rows(
    plan: Plan, tickers: tuple[str, ...], sessions: Dates, rows: Iterable[tuple[LakeTable, Rows]]
) -> dict[str, pa.Table]:
    """Return rows of numbers as Arrow tables, by the names of the tables.

    Args:
        plan: whose name and satellites they are of.
        tickers, sessions: which the rows name by their places.
        rows: as the engine writes them, with their declarations.
    """
    names = _Names(plan, tickers, sessions)
    return {table.name: names.table(table, found) for table, found in rows}


def _core_ledger(history: History, deposits: Floats, ledger: Rows, tickers: int) -> Rows:
    """Return the core's rows, a transfer as what it consists of; its assets are counted on from so many tickers."""
    rows = np.zeros(len(ledger), dtype=LEDGER)
    for name in ("session", "leg", "kind", "quantity", "price", "fee", "amount"):
        rows[name] = ledger[name]
    rows["bucket"], rows["counterparty"] = CORE, OUTSIDE
    rows["asset"] = np.where(ledger["asset"] >= 0, ledger["asset"] + tickers, ledger["asset"])
    rows["cash_after"] = ledger["bank_after"]
    is_transfer = ledger["kind"] == Kind.TRANSFER_IN
    if not is_transfer.any():
        return rows
    places = np.flatnonzero(is_transfer)
    parts = _parts(history, deposits)
    transfer = places[np.searchsorted(ledger["session"][places], parts["session"])]
    so_far = np.cumsum(parts["amount"])
    first = np.searchsorted(parts["session"], parts["session"])
    before = ledger["bank_after"][transfer] - ledger["amount"][transfer]
    parts["cash_after"] = before + so_far - so_far[first] + parts["amount"][first]
    order = np.argsort(np.concatenate([np.flatnonzero(~is_transfer), transfer]), kind="stable")
    return np.concatenate([rows[~is_transfer], parts])[order]


def _parts(history: History, deposits: Floats) -> Rows:
    """Return what came to the core, by session: moves and harvests, its part of a deposit, dividends sent on."""
    ledger = history.ledger
    handed = ledger[ledger["counterparty"] == CORE].copy()
    handed["counterparty"] = handed["bucket"]
    handed["bucket"] = CORE
    handed["amount"] = -handed["amount"]
    mine = ledger[ledger["kind"] == Kind.DEPOSIT]
    rest = deposits - np.bincount(mine["session"], weights=mine["amount"], minlength=len(deposits))
    came = np.flatnonzero(rest > DUST)
    deposited = np.zeros(len(came), dtype=LEDGER)
    deposited["session"], deposited["leg"], deposited["asset"] = came, LEG_ARRIVAL, -1
    deposited["bucket"], deposited["counterparty"] = CORE, OUTSIDE
    deposited["kind"], deposited["amount"] = Kind.DEPOSIT, rest[came]
    deposited["quantity"] = deposited["price"] = np.nan
    parts = np.concatenate([handed, deposited])
    turn = np.select([parts["kind"] == Transfer.DIVIDEND_SENT, parts["kind"] == Kind.DEPOSIT], [2, 1], 0)
    return parts[np.lexsort((turn, parts["session"]))]


def _merged(history: History, core: Rows) -> Rows:
    """Return all rows in the order of a session: what arrives at satellites, the core, the satellites' trades."""
    mine = history.ledger
    rows = np.concatenate([mine[mine["leg"] == LEG_ARRIVAL], core, mine[mine["leg"] != LEG_ARRIVAL]])
    return rows[np.argsort(rows["session"], kind="stable")]


def _core_daily(plan: Plan, history: History) -> Rows:
    """Return the core's days; its capital is what came on the first session."""
    values, sessions = history.core_values, len(history.core_values)
    count = len(plan.satellites)
    rows = np.zeros(sessions, dtype=DAILY)
    for name in DAILY.names or ():
        if DAILY[name].kind == "f":
            rows[name] = np.nan
    rows["bucket"], rows["session"] = CORE, np.arange(sessions)
    rows["cash"], rows["value"] = history.core_cash, values
    rows["open_flows"], rows["close_flows"] = history.core_flows, -history.core_withdrawals
    rows["open_flows"][0] = plan.core_capital
    before = np.append(0.0, values[:-1])
    index, peak = 1.0, 1.0
    for session, row in enumerate(rows):
        flows = float(row["open_flows"]), float(row["close_flows"])
        row["simple_return"] = rules.index_return(float(values[session]), float(before[session]), *flows)
        index = rules.index_after(index, float(row["simple_return"]))
        peak = max(peak, index)
        row["twr_index"], row["peak"], row["drawdown"] = index, peak, rules.drawdown_of(index, peak)
    days = history.daily.reshape(sessions, count)
    total = values + days["value"].sum(axis=1)
    rows["share"] = [rules.share_of(*pair) for pair in zip(values.tolist(), total.tolist(), strict=True)]
    rows["target"] = 1.0 - days["target"].sum(axis=1)
    rows["locked_until"] = rows["cooldown_until"] = -1
    return rows


class _Names:
    """What the numbers in rows mean."""

    def __init__(self, plan: Plan, tickers: tuple[str, ...], sessions: Dates) -> None:
        self.plan = plan
        self.sessions = sessions
        # Places below 0 count from the end.
        self.tickers = pa.array([*tickers, None], pa.string())
        self.buckets = pa.array(
            [*(one.name for one in plan.satellites), satellites.OUTSIDE, satellites.CORE], pa.string()
        )

    def table(self, declared: LakeTable, rows: Rows) -> pa.Table:
        """Return rows with the columns of a table of the lake."""
        return pa.table([self.column(name, rows) for name in declared.columns], schema=declared.arrow_schema)

    def column(self, name: str, rows: Rows) -> pa.Array:
        """Return one column of rows; NaN and what there is none of become null."""
        match name:
            case "book":
                column = pa.repeat(pa.scalar(self.plan.name), len(rows))
            case "seq":
                column = pa.array(np.arange(1, len(rows) + 1, dtype=np.int32))
            case "ticker":
                column = self.tickers.take(pa.array(rows["asset"] % len(self.tickers)))
            case "bucket" | "counterparty":
                column = self.buckets.take(pa.array(rows[name] % len(self.buckets)))
            case "effective":
                column = pa.array(self.sessions[rows["session"]])
            case "session" | "opened" | "closed":
                column = pa.array(self.sessions[rows[name]], mask=rows[name] < 0)
            case "until" | "locked_until" | "cooldown_until":
                column = pa.array(rows[name], pa.int32(), mask=rows[name] < 0).cast(pa.date32())
            case _:
                column = self._named(name, rows[name], _missing(name, rows))
        return column

    @staticmethod
    def _named(name: str, numbers: npt.NDArray[np.generic], missing: npt.NDArray[np.bool_]) -> pa.Array:
        if name == "kind":
            return _texts(numbers, {kind.value: kind.name for kind in (*Kind, *Transfer)}, missing)
        if name in _NAMES:
            return _texts(numbers, {each.value: each.name.lower() for each in _NAMES[name]}, missing)
        if name == "reasons":
            return _texts(numbers, {bits: _reasons(bits) for bits in np.unique(numbers).tolist()}, missing)
        if name == "is_told_apart":
            return pa.array(numbers == 1, mask=missing)
        return pa.array(np.ascontiguousarray(numbers), mask=missing)


def _missing(name: str, rows: Rows) -> npt.NDArray[np.bool_]:
    """Return where a column has no value."""
    numbers = rows[name]
    is_number = numbers.dtype.kind == "f"
    missing: npt.NDArray[np.bool_] = np.isnan(numbers) if is_number else np.zeros(len(rows), dtype=bool)
    if name in _OF_SATELLITES and "share_level" in (rows.dtype.names or ()):
        missing |= rows["bucket"] == CORE
    if name == "reasons":
        missing |= numbers == _NO_REASONS
    if name in {"outcome", "exit_reason"}:
        missing |= rows["closed"] < 0
    if name in {"cause", "is_told_apart"}:
        missing |= numbers < 0
    return missing


def _reasons(bits: int) -> str:
    """Return the names of reasons, in their order."""
    return ", ".join((reason.name or "").lower() for reason in Reason if bits & reason)


def _texts(numbers: npt.NDArray[np.generic], names: dict[int, str], missing: Iterable[bool]) -> pa.Array:
    """Return texts for numbers."""
    return pa.array(
        [None if none else names[number] for number, none in zip(numbers.tolist(), missing, strict=True)], pa.string()
    )
