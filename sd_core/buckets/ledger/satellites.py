"""A satellite's life and its settings: create, start, pause, retire and what lies between, each as one entry.

Each function names everything that is unmet. What a setting comes to belongs in ``sd_core.buckets.presets``.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sd_core.buckets.ledger.draft import Draft, canonical
from sd_core.buckets.ledger.orders import close_order
from sd_core.buckets.ledger.quanta import instrument
from sd_core.buckets.ledger.state import State
from sd_core.buckets.ledger.tables import CORE, LIVE
from sd_core.buckets.presets import PRESETS, rails, settings
from sd_core.buckets.rules import at_least, floor_of, share_of
from sd_core.errors import InputError

# Sessions of its paper book after which a satellite may start.
PAPER_SESSIONS = 63
BOOST_DAYS = (7, 30)
IN_USE = ("accumulating", "active", "hibernating")
BREAKER = "losses"
HALT = "halt"


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
        InputError: the name is taken or cannot be, a setting leaves its rails, or an instrument is not free.
    """
    state, name = draft.state, satellite.name
    if name in state.buckets:
        raise InputError(f"create: {name}: expected a new name")
    chosen = _chosen(satellite)
    if not satellite.instruments:
        raise InputError(f"create: {name}: expected at least one instrument")
    draft.add("bucket", bucket=name, kind="satellite", name=satellite.title or name.replace("_", " ").title())
    draft.add("state", subject=name, status="research")
    for ticker in dict.fromkeys(satellite.instruments):
        refuse_taken(state, ticker, name, "create")
        draft.introduce(instrument(ticker, quote_currency))
        draft.add("universe", subject=ticker, owner=name)
    for setting, value in chosen.items():
        draft.add("setting", subject=name, name=setting, value=canonical(value))
    if satellite.note:
        draft.add("note", subject=name, text=satellite.note)
    draft.event(
        name, chosen | {"instruments": list(satellite.instruments)}, f"create: {name}, {satellite.preset}, in research"
    )


def refuse_taken(state: State, ticker: str, bucket: str, place: str) -> None:
    """Refuse an instrument that is not free.

    Raises:
        InputError: it is a currency, another bucket's, or another bucket holds it.
    """
    if ticker in state.units and state.units[ticker].kind == "currency":
        raise InputError(f"{place}: {ticker}: expected an instrument, is a currency")
    owner = state.owner(ticker)
    holders = [one for one, unit in state.balances if unit == ticker and one != bucket]
    taken = owner is not None and owner != bucket and state.buckets[owner].status != "retired"
    if (taken and owner != CORE) or holders:
        raise InputError(
            f"{place}: {ticker}: expected a free instrument, is {holders[0] if holders else owner}'s: reassign it"
        )


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
    state = draft.state
    state.satellite(bucket, "start")
    unmet = _status_unmet(state, bucket, {"research"})
    unmet += rails(*_plan(state, with_bucket=bucket))
    if paper_sessions < PAPER_SESSIONS and not early:
        unmet.append(f"expected at least {PAPER_SESSIONS} sessions on paper or --early REASON, was {paper_sessions}")
    _refuse("start", bucket, unmet)
    draft.add("state", subject=bucket, status="accumulating")
    numbers = {"paper_sessions": paper_sessions} | ({"early": early} if early else {})
    draft.event(bucket, numbers, f"start: {bucket} accumulates")


def abandon(draft: Draft, bucket: str) -> None:
    """Retire a satellite that is in research.

    Raises:
        InputError: it is not in research.
    """
    draft.state.satellite(bucket, "abandon")
    _refuse("abandon", bucket, _status_unmet(draft.state, bucket, {"research"}))
    draft.add("state", subject=bucket, status="retired", cause="abandoned")
    draft.event(bucket, {}, f"abandon: {bucket} is retired from research")


def pause(draft: Draft, bucket: str) -> None:
    """Stop what a satellite opens until it is resumed; exits and stops run on.

    Its open purchases are closed on record; cancelling them at the broker is the caller's.

    Raises:
        InputError: it does not accumulate, is not active and does not hibernate.
    """
    state = draft.state
    state.satellite(bucket, "pause")
    _refuse("pause", bucket, _status_unmet(state, bucket, set(IN_USE)))
    cancelled = [order for order in state.open_orders(bucket) if state.order_side(order) == "buy"]
    for order in cancelled:
        close_order(draft, order, "cancelled")
    draft.add("state", subject=bucket, status="paused", cause="person")
    draft.event(bucket, {"cancelled": cancelled}, f"pause: {bucket}")


def resume(draft: Draft, bucket: str) -> None:
    """Return a paused satellite to what it was before.

    Raises:
        InputError: it is not paused.
    """
    state = draft.state
    state.satellite(bucket, "resume")
    _refuse("resume", bucket, _status_unmet(state, bucket, {"paused"}))
    status, _, cause = state.statuses(bucket)[-2]
    draft.add("state", subject=bucket, status=status, **({"cause": cause} if cause else {}))
    draft.event(bucket, {"status": status}, f"resume: {bucket} is {status}")


def retire(draft: Draft, bucket: str) -> None:
    """End a paused satellite that holds nothing.

    Raises:
        InputError: it is not paused, or has an open order, a position, cash, or an activity that is held.
    """
    state = draft.state
    state.satellite(bucket, "retire")
    unmet = _status_unmet(state, bucket, {"paused"})
    unmet += [f"order {order}: expected none open" for order in state.open_orders(bucket)]
    unmet += [
        f"expected no position, has {state.units[unit].shown(held)}" for unit, held in state.positions(bucket).items()
    ]
    unmet += [f"expected no cash, has {state.units[code].shown(held)}" for code, held in state.cash(bucket).items()]
    unmet += [f"activity {ref}: expected none held" for ref in state.held()]
    _refuse("retire", bucket, unmet)
    draft.add("state", subject=bucket, status="retired", cause="person")
    draft.event(bucket, {}, f"retire: {bucket}")


def boost(draft: Draft, bucket: str, days: int) -> None:
    """Raise what an active satellite opens by half, for some days.

    Raises:
        InputError: it is not active, or the days are other than 7 or 30.
    """
    draft.state.satellite(bucket, "boost")
    unmet = _status_unmet(draft.state, bucket, {"active"})
    if days not in BOOST_DAYS:
        unmet.append(f"expected 7 or 30 days, was {days}")
    _refuse("boost", bucket, unmet)
    until = (dt.date.fromisoformat(draft.head.effective) + dt.timedelta(days=days)).isoformat()
    draft.add("lock", subject=bucket, cause="boost", until=until)
    draft.event(bucket, {"until": until}, f"boost: {bucket} until {until}")


def unlock(draft: Draft, bucket: str) -> None:
    """Lift the lock that losses in a row have set.

    Raises:
        InputError: losses lock nothing.
    """
    state = draft.state
    state.satellite(bucket, "unlock")
    if BREAKER not in state.locks(bucket, draft.head.effective):
        raise InputError(f"unlock: {bucket}: expected a lock by losses in a row, has none")
    draft.add("lock", subject=bucket, cause=BREAKER, until=draft.head.effective)
    draft.event(bucket, {}, f"unlock: {bucket}")


def halt(draft: Draft, *, lift: bool) -> None:
    """Stop all openings of the account, or allow them again.

    Raises:
        InputError: it is halted already, or is not.
    """
    is_halted = HALT in draft.state.locks(LIVE, draft.head.effective)
    if is_halted is not lift:
        raise InputError(f"halt: expected an account that is {'halted' if lift else 'not halted'}")
    draft.add("lock", subject=LIVE, cause=HALT, **({"until": draft.head.effective} if lift else {}))
    draft.event(LIVE, {}, "lift: openings are allowed again" if lift else "halt: nothing is opened, exits run")


def note(draft: Draft, bucket: str, text: str) -> None:
    """Replace a bucket's note."""
    draft.state.bucket(bucket, "note")
    draft.add("note", subject=bucket, text=text)
    draft.event(bucket, {"text": text}, f"note: {bucket}")


def change(draft: Draft, subject: str, values: Mapping[str, Any], *, scale: bool) -> None:
    """Change settings of a satellite, or of the account (``live``).

    Args:
        values: by name. The account has ``budget`` and ``feed``; a satellite ``target``, ``min_pct``, ``harvest_line``,
            ``dividends``, and each slider and toggle by its name.
        scale: whether a lower budget shrinks the targets in proportion.

    Raises:
        InputError: a name is unknown, or the plan would leave its rails.
    """
    state = draft.state
    changed = _of_account(values) if subject == LIVE else _of_satellite(state, subject, values)
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


def _of_account(values: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name == "budget":
            changed[name] = str(_fraction("set live", name, value))
        elif name == "feed" and isinstance(value, bool):
            changed[name] = value
        else:
            raise InputError(f"set live: {name}={value}: expected budget=FRACTION or feed=true|false")
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
            changed[name] = str(_fraction(f"set {bucket}", name, value))
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


def _status_unmet(state: State, bucket: str, expected: set[str]) -> list[str]:
    status = state.buckets[bucket].status
    return [] if status in expected else [f"expected to be {' or '.join(sorted(expected))}, is {status}"]


def _refuse(place: str, bucket: str, unmet: Sequence[str]) -> None:
    if unmet:
        raise InputError("\n".join(f"{place} {bucket}: {one}" for one in unmet))


def _refuse_outside(place: str, findings: Sequence[str]) -> None:
    if findings:
        raise InputError("\n".join(f"{place}: {finding}" for finding in findings))
