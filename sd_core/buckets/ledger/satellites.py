"""A satellite's life and its settings: create, start, pause, retire and what lies between, each as one entry.

Each function names everything that is unmet. What a setting comes to belongs in ``sd_core.buckets.presets``.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sd_core.broker.registry import BROKERS, NO_BROKER
from sd_core.buckets import lifecycle
from sd_core.buckets.ledger.draft import Draft, canonical
from sd_core.buckets.ledger.marked import is_broken
from sd_core.buckets.ledger.orders import close_order
from sd_core.buckets.ledger.quanta import instrument
from sd_core.buckets.ledger.state import BREAKER, HALT, State
from sd_core.buckets.ledger.tables import APPROVED, OPEN, PARTIAL, PROPOSED, SENT
from sd_core.buckets.lifecycle import Action, Facts, status_after_action, unmet_at_creation
from sd_core.buckets.presets import PRESETS, rails, settings
from sd_core.buckets.rules import at_least, floor_of, share_of
from sd_core.errors import InputError
from sd_core.schemas.kinds import Status
from sd_core.study.satellites import CORE, LIVE

TICKER = re.compile(r"\S{1,40}")


@dataclass(frozen=True)
class Satellite:
    """A satellite to be created.

    Attributes:
        name: ``[a-z][a-z0-9_]{0,39}``.
        preset: where its settings begin.
        instruments: what it trades, at least one.
        target, min_pct: shares of the account, fractions; None: the preset's.
        title: its name for people; None: made of the name.
        sliders, toggles, dividends: settings other than the preset's.
        note: why it is there.
    """

    name: str
    preset: str
    instruments: Sequence[str]
    target: Decimal | None = None
    min_pct: Decimal | None = None
    title: str | None = None
    sliders: Mapping[str, float] = field(default_factory=dict)
    toggles: Mapping[str, bool] = field(default_factory=dict)
    dividends: str | None = None
    note: str | None = None


def create(draft: Draft, satellite: Satellite, quote_currency: str) -> None:
    """Add a satellite in research.

    Raises:
        InputError: the name is taken or cannot be, a setting leaves its rails, or an instrument is not free; each is
            named.
    """
    state, name = draft.state, satellite.name
    taken = {ticker: owner for ticker in satellite.instruments if (owner := taken_by(state, ticker, name)) is not None}
    unmet = unmet_at_creation(name, satellite.preset, list(state.buckets), satellite.instruments, taken)
    if unmet:
        raise InputError("\n".join(unmet))
    chosen = _chosen(satellite)
    draft.add("bucket", bucket=name, kind="satellite", name=satellite.title or name.replace("_", " ").title())
    draft.add("state", subject=name, status="research")
    for ticker in dict.fromkeys(satellite.instruments):
        refuse_currency(state, ticker, "create")
        draft.introduce(instrument(ticker, quote_currency))
        draft.add("universe", subject=ticker, owner=name)
    for setting, value in chosen.items():
        draft.add("setting", subject=name, name=setting, value=canonical(value))
    if satellite.note:
        draft.add("note", subject=name, text=satellite.note)
    numbers = chosen | {"instruments": list(satellite.instruments)}
    draft.event(name, numbers, f"create: {name}, {satellite.preset}, in research")


def refuse_currency(state: State, ticker: str, place: str) -> None:
    """Refuse a currency where an instrument is expected, and what is no ticker at all.

    Raises:
        InputError: the ledger knows it as a currency or in other letters, or it is empty, long or has blanks.
    """
    if not TICKER.fullmatch(ticker):
        raise InputError(f"{place}: {ticker!r}: expected a ticker of at most 40 characters, without blanks")
    if ticker in state.units and state.units[ticker].kind == "currency":
        raise InputError(f"{place}: {ticker}: expected an instrument, is a currency")
    alike = [unit for unit in state.units if unit != ticker and unit.upper() == ticker.upper()]
    if alike:
        raise InputError(f"{place}: {ticker}: expected {alike[0]}, as the ledger writes it")


def taken_by(state: State, ticker: str, bucket: str) -> str | None:
    """Return the bucket that keeps an instrument from another: a satellite in use that owns it, or who holds it."""
    holders = [owner for owner, unit in state.balances if unit == ticker and owner != bucket]
    if holders:
        return holders[0]
    owner = state.owner(ticker)
    return None if owner in {None, bucket, CORE} or state.buckets[owner].status == "retired" else owner


def _chosen(satellite: Satellite) -> dict[str, Any]:
    """Return the settings of a new satellite, after the rails.

    Raises:
        InputError: one is unknown or outside.
    """
    try:
        made = settings(satellite.preset, satellite.sliders, satellite.toggles, satellite.dividends)
    except ValueError as error:
        raise InputError(f"create: {error}") from None
    preset = PRESETS[satellite.preset]
    target = satellite.target if satellite.target is not None else preset.target
    if target is None:
        raise InputError(f"create: {satellite.name}: expected a target, such as --target 0.05")
    min_pct = satellite.min_pct if satellite.min_pct is not None else preset.min_pct
    _refuse_outside("create", rails(float(target), {satellite.name: float(target)}, {satellite.name: float(min_pct)}))
    return {
        "preset": satellite.preset,
        "sliders": vars(made.sliders),
        "toggles": vars(made.toggles),
        "dividends": made.dividends.name.lower(),
        "target": str(target),
        "min_pct": str(min_pct),
    }


def start(draft: Draft, bucket: str, paper_sessions: int, early: str | None) -> None:
    """Let a satellite that was in research accumulate money.

    Raises:
        InputError: it is not in research, its target does not fit the budget, or it was on paper too shortly and no
            reason is given to start early.
    """
    facts = Facts(draft.head.actor, rails(*_plan(draft.state, with_bucket=bucket)), paper_sessions, early)
    act(draft, Action.START, bucket, facts)
    numbers = {"paper_sessions": paper_sessions} | ({"early": early} if early else {})
    draft.event(bucket, numbers, f"start: {bucket} accumulates")


def abandon(draft: Draft, bucket: str) -> None:
    """Retire a satellite that is in research.

    Raises:
        InputError: it is not in research.
    """
    act(draft, Action.ABANDON, bucket, Facts(draft.head.actor))
    draft.event(bucket, {}, f"abandon: {bucket} is retired from research")


def pause(draft: Draft, bucket: str) -> None:
    """Stop what a satellite opens until it is resumed; exits and stops run on.

    Its proposals are closed on record, and so are purchases that the account has no broker for; others, when they are
    cancelled there.

    Raises:
        InputError: it does not accumulate, is not active and does not hibernate.
    """
    act(draft, Action.PAUSE, bucket, Facts(draft.head.actor))
    draft.event(bucket, {"cancelled": _cancel_purchases(draft, bucket)}, f"pause: {bucket}")


def _cancel_purchases(draft: Draft, bucket: str | None = None) -> list[str]:
    """Close the purchases of a bucket, or of all, that no broker may still fill; return their ids."""
    has_broker = draft.state.setting(LIVE, "broker") != NO_BROKER
    cancelled = [
        order.client_id
        for order in draft.state.orders((PROPOSED,) if has_broker else OPEN)
        if order.side == "buy" and bucket in {None, order.bucket}
    ]
    for order in cancelled:
        close_order(draft, order, "cancelled")
    return cancelled


def resume(draft: Draft, bucket: str) -> None:
    """Return a paused satellite to what it was before.

    Raises:
        InputError: it is not paused.
    """
    status = act(draft, Action.RESUME, bucket, Facts(draft.head.actor))
    draft.event(bucket, {"status": status}, f"resume: {bucket} is {status}")


def retire(draft: Draft, bucket: str) -> None:
    """End a paused satellite that holds nothing.

    Raises:
        InputError: it is not paused, or has an open order, a position, cash, or an activity that is held.
    """
    state = draft.state
    facts = Facts(
        draft.head.actor,
        orders=state.open_orders(bucket),
        positions=[state.units[unit].shown(held) for unit, held in state.positions(bucket).items()],
        cash=[state.units[code].shown(held) for code, held in state.cash(bucket).items()],
        activities=state.held_of(bucket),
    )
    act(draft, Action.RETIRE, bucket, facts)
    draft.event(bucket, {}, f"retire: {bucket}")


def boost(draft: Draft, bucket: str, days: int) -> None:
    """Raise what an active satellite opens by half, for some days.

    Raises:
        InputError: it is not active, or the days are other than 7 or 30.
    """
    act(draft, Action.BOOST, bucket, Facts(draft.head.actor, days=days))
    until = (dt.date.fromisoformat(draft.head.effective) + dt.timedelta(days=days)).isoformat()
    draft.add("lock", subject=bucket, cause="boost", until=until)
    draft.event(bucket, {"until": until}, f"boost: {bucket} until {until}")


def act(draft: Draft, action: Action, bucket: str, facts: Facts) -> str:
    """Do what a person asks of a satellite, and return its status after it.

    Raises:
        InputError: a condition is unmet; each is named.
    """
    state = draft.state
    found = state.satellite(bucket, action.value)
    past = state.statuses(bucket)
    before = Status[past[-2][0].upper()] if len(past) > 1 else None
    as_found = lifecycle.Bucket(bucket, Status[found.status.upper()], past[-1][1], before)
    status = status_after_action(action, as_found, facts).name.lower()
    if status != found.status:
        # What a satellite slept for is what it sleeps for after a pause.
        cause = past[-2][2] if action is Action.RESUME else facts.actor
        draft.add("state", subject=bucket, status=status, **({"cause": cause} if cause else {}))
    return status


def unlock(draft: Draft, bucket: str) -> None:
    """Lift the lock that losses in a row have set, or what is left of it while only tests may be opened.

    Raises:
        InputError: losses lock nothing.
    """
    state = draft.state
    state.satellite(bucket, "unlock")
    if not is_broken(state, bucket):
        raise InputError(f"unlock: {bucket}: expected a lock by losses in a row, has none")
    draft.add("lock", subject=bucket, cause=BREAKER, until=draft.head.effective)
    draft.event(bucket, {}, f"unlock: {bucket}")


def halt(draft: Draft, *, lift: bool) -> None:
    """Stop all openings of the account, or allow them again; purchases are closed as by a pause.

    Raises:
        InputError: it is halted already, or is not.
    """
    is_halted = HALT in draft.state.locks(LIVE, draft.head.effective)
    if is_halted is not lift:
        raise InputError(f"halt: expected an account that is {'halted' if lift else 'not halted'}")
    draft.add("lock", subject=LIVE, cause=HALT, **({"until": draft.head.effective} if lift else {}))
    cancelled = [] if lift else _cancel_purchases(draft)
    text = "lift: openings are allowed again" if lift else "halt: nothing is opened, exits run"
    draft.event(LIVE, {"cancelled": cancelled} if cancelled else {}, text)


def note(draft: Draft, bucket: str, text: str) -> None:
    """Replace a bucket's note."""
    draft.state.bucket(bucket, "note")
    draft.add("note", subject=bucket, text=text)
    draft.event(bucket, {"text": text}, f"note: {bucket}")


def change(draft: Draft, subject: str, values: Mapping[str, Any], *, scale: bool) -> None:
    """Change settings of a satellite, or of the account (``live``).

    Args:
        values: by name. The account has ``budget`` and ``broker``; a satellite ``target``, ``min_pct``,
            ``harvest_line``, ``dividends``, and each slider and toggle by its name.
        scale: whether a lower budget shrinks the targets in proportion.

    Raises:
        InputError: a name is unknown, or the plan would leave its rails.
    """
    state = draft.state
    changed = _of_account(values) if subject == LIVE else _of_satellite(state, subject, values)
    _refuse_moving_orders(state, changed)
    targets: dict[str, str] = {}
    if subject == LIVE and scale and "budget" in changed:
        targets = _scaled(state, Decimal(changed["budget"]))
    overrides = {(subject, name): value for name, value in changed.items()}
    overrides |= {(bucket, "target"): target for bucket, target in targets.items()}
    findings = rails(*_plan(state, overrides=overrides, with_bucket=None if subject == LIVE else subject))
    if findings and subject == LIVE and "budget" in changed and not scale:
        findings.append("--scale shrinks the targets in proportion")
    _refuse_outside("set", findings)
    for (of, name), value in overrides.items():
        draft.add("setting", subject=of, name=name, value=canonical(value))
    draft.event(
        subject, {**changed, **({"targets": targets} if targets else {})}, f"set: {subject}: {', '.join(changed)}"
    )


def _refuse_moving_orders(state: State, changed: Mapping[str, Any]) -> None:
    """Refuse another broker while orders are at the one before, or in a person's hands: it would be sent them again.

    Raises:
        InputError: an order is open; each is named.
    """
    if changed.get("broker", before := state.setting(LIVE, "broker")) == before:
        return
    under_way = [one.client_id for one in state.orders((APPROVED, SENT, PARTIAL)) if one.side != "withdraw"]
    if under_way:
        raise InputError(f"set live: broker={changed['broker']}: expected no open order, has {', '.join(under_way)}")


def activate_if_due(draft: Draft, moved: Mapping[str, int], code: str) -> None:
    """Make satellites active that accumulate and have reached their floor.

    Args:
        moved: cash that the entry adds to each bucket, in quanta of a currency.
        code: the currency.
    """
    state = draft.state
    if state.book != LIVE:
        return
    total = state.total
    for bucket in state.buckets.values():
        if bucket.status == "accumulating":
            value = state.values[bucket.bucket] + state.in_base(code, moved.get(bucket.bucket, 0))
            if has_reached_floor(state, bucket.bucket, value, total):
                draft.add("state", subject=bucket.bucket, status="active", cause="share")


def has_reached_floor(state: State, bucket: str, value: int, total: int) -> bool:
    """Return whether a value, in quanta of the base currency, is at the share at which a satellite trades."""
    base = state.base
    share = share_of(float(base.decimal(value)), float(base.decimal(total)))
    floor = floor_of(float(state.fraction(bucket, "target")), float(state.fraction(bucket, "min_pct")))
    return bool(total > 0 and at_least(share, floor))


def _plan(
    state: State, overrides: Mapping[tuple[str, str], Any] | None = None, with_bucket: str | None = None
) -> tuple[float, dict[str, float], dict[str, float]]:
    """Return budget, targets and least shares, of satellites that are or will be in use."""
    overrides = overrides or {}

    def read(subject: str, name: str) -> float:
        return float(Decimal(str(overrides.get((subject, name), state.setting(subject, name)))))

    names = [
        bucket.bucket
        for bucket in state.buckets.values()
        if bucket.kind == "satellite" and (bucket.status not in {"research", "retired"} or bucket.bucket == with_bucket)
    ]
    return (
        read(LIVE, "budget"),
        {name: read(name, "target") for name in names},
        {name: read(name, "min_pct") for name in names},
    )


# Settings of the account that are one word of several.
_CHOICES = {"broker": (NO_BROKER, *BROKERS), "apply": ("propose", "auto"), "tilt": ("none", "regime")}


def _of_account(values: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name == "budget":
            changed[name] = str(_fraction("set live", name, value))
        elif value in _CHOICES.get(name, ()):
            changed[name] = value
        else:
            known = ", ".join(["budget=FRACTION", *(f"{one}={'|'.join(of)}" for one, of in _CHOICES.items())])
            raise InputError(f"set live: {name}={value}: expected one of {known}")
    return changed


def _of_satellite(state: State, bucket: str, values: Mapping[str, Any]) -> dict[str, Any]:
    state.satellite(bucket, "set")
    made: dict[str, Any] = {
        "sliders": dict(state.setting(bucket, "sliders")),
        "toggles": dict(state.setting(bucket, "toggles")),
    }
    changed: dict[str, Any] = {}
    for name, value in values.items():
        group = next((group for group in ("sliders", "toggles") if name in made[group]), None)
        if group:
            made[group][name] = value
            changed[group] = made[group]
        elif name in {"target", "min_pct", "harvest_line"}:
            changed[name] = str(fraction := _fraction(f"set {bucket}", name, value))
            if name == "harvest_line" and not (fraction.is_finite() and 0 <= fraction <= 1):
                raise InputError(f"set {bucket}: {name}={value}: expected a fraction from 0 to 1")
        elif name == "dividends":
            changed[name] = value
        else:
            known = [*("target", "min_pct", "harvest_line", "dividends"), *made["sliders"], *made["toggles"]]
            raise InputError(f"set {bucket}: {name}: expected one of {', '.join(known)}")
    try:
        settings(state.setting(bucket, "preset"), made["sliders"], made["toggles"], changed.get("dividends"))
    except ValueError as error:
        raise InputError(f"set {bucket}: {error}") from None
    return changed


def _scaled(state: State, budget: Decimal) -> dict[str, str]:
    """Return targets that shrink in proportion where they do not fit a budget."""
    _, targets, _ = _plan(state)
    exact = {name: state.fraction(name, "target") for name in targets}
    together = sum(exact.values(), Decimal(0))
    if together <= budget:
        return {}
    return {
        name: str((target * budget / together).quantize(Decimal("1e-6"), "ROUND_DOWN"))
        for name, target in exact.items()
    }


def _fraction(place: str, name: str, value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except ArithmeticError:
        raise InputError(f"{place}: {name}={value}: expected a fraction, such as 0.05") from None


def _refuse_outside(place: str, findings: Sequence[str]) -> None:
    if findings:
        raise InputError("\n".join(f"{place}: {finding}" for finding in findings))
