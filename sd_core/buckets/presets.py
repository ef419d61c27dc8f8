"""The settings of a satellite: five sliders, four toggles, what dividends do, and presets of them.

What the parameters do belongs in ``rules`` and in the engine of histories.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

from sd_core.schemas.kinds import Dividends, Signal
from sd_core.study.satellites import DUAL, MAX_BUDGET, MAX_PCT, MIN_PCT, Satellite
from sd_core.wording import did_you_mean

# A product of a slider that misses a whole number by less than this is that number: 3 + 20 · 0.4 = 11.
WHOLE = 1e-9
# The least share of the account with which any satellite can trade.
LEAST_SHARE = min(MIN_PCT.values())


@dataclass(frozen=True)
class Sliders:
    """Five positions from 0, left, to 1, right.

    Attributes:
        risk: conservative to aggressive: how large a position may be, and how far its stop is.
        hold: quick flips to patient holds.
        entry: buy dips to buy breakouts.
        spread: concentrated to diversified.
        profit: let winners run to take profits early.
    """

    risk: float = 0.5
    hold: float = 0.5
    entry: float = 0.5
    spread: float = 0.5
    profit: float = 0.5


@dataclass(frozen=True)
class Toggles:
    """Four switches.

    Attributes:
        trailing: whether a stop follows the highest close, in place of taking profit at a level.
        regime: whether the regime of the market scales what is opened.
        harvest: whether what exceeds the harvest line goes to the core each month.
        high_volatility: whether nothing is opened while the regime is high volatility.
    """

    trailing: bool = False
    regime: bool = False
    harvest: bool = False
    high_volatility: bool = False


class Parameters(NamedTuple):
    """What the sliders and toggles come to; numbers alone, so that compiled code can take them.

    Attributes:
        size: most that a position may cost, a fraction of the satellite's value.
        stop: distance of the stop below the entry price, a fraction.
        days: calendar days after which a position is closed.
        positions: how many positions may be open.
        take: distance of the take-profit above the entry price, a fraction.
        trail: distance of a trailing stop below the highest close, a fraction.
        signal: what is bought on, a :class:`Signal`.
        window: sessions whose highest close a breakout exceeds; 0 for another signal.
        depth: distance below the highest close that is a dip, a fraction; 0 for another signal.
        trailing, regime, harvest, high_volatility: the toggles.
        dividends: what is done with a dividend, one of :class:`Dividends`.
    """

    size: float
    stop: float
    days: int
    positions: int
    take: float
    trail: float
    signal: int
    window: int
    depth: float
    trailing: bool
    regime: bool
    harvest: bool
    high_volatility: bool
    dividends: int


@dataclass(frozen=True)
class Settings:
    """The settings of a satellite.

    Attributes:
        preset: the preset that they began as.
        sliders, toggles, dividends: as set since.
    """

    preset: str
    sliders: Sliders
    toggles: Toggles
    dividends: Dividends

    @property
    def signal(self) -> Signal:
        """What it buys on: the preset's own signal, else dips in the entry slider's left half, then breakouts."""
        own = PRESETS[self.preset].signal
        if own is not None:
            return own
        return Signal.BREAKOUT if self.sliders.entry >= 0.5 else Signal.DIP

    @property
    def parameters(self) -> Parameters:
        """What the settings come to."""
        at, signal = self.sliders, self.signal
        return Parameters(
            size=0.15 + 0.25 * at.risk,
            stop=0.05 + 0.15 * at.risk,
            days=_whole(1 + 180 * at.hold),
            positions=_whole(3 + 20 * at.spread),
            take=0.30 - 0.25 * at.profit,
            trail=max(0.02, 0.10 * (1 - at.profit)),
            signal=signal.value,
            window=20 + _whole(464 * (at.entry - 0.5)) if signal == Signal.BREAKOUT else 0,
            depth=0.05 + 0.30 * (0.5 - at.entry) if signal == Signal.DIP else 0.0,
            **asdict(self.toggles),
            dividends=self.dividends.value,
        )

    @property
    def columns(self) -> dict[str, Any]:
        """What ``study_bucket`` says of them, by column; None for what the signal has none of."""
        values = self.parameters
        return {
            "preset": self.preset,
            **{f"slider_{name}": at for name, at in asdict(self.sliders).items()},
            **{f"toggle_{name}": is_on for name, is_on in asdict(self.toggles).items()},
            "dividends": self.dividends.name.lower(),
            **{name: getattr(values, name) for name in ("size", "stop", "days", "positions", "take", "trail")},
            "signal": self.signal.name.lower(),
            "breakout_window": values.window or None,
            "dip_depth": values.depth or None,
        }


@dataclass(frozen=True)
class Preset:
    """Where the settings of a satellite begin.

    Attributes:
        sliders, toggles, dividends: the settings.
        signal: what is bought on, whatever the entry slider says; None where that decides.
        target: share of the account that it is meant to have; None where that must be said.
        min_pct: share of the account below which it does not trade.
        budget: share of the account for all satellites of a plan that has this one alone; None where that must be said.
    """

    sliders: Sliders
    toggles: Toggles = Toggles()
    dividends: Dividends = Dividends.REINVEST_SAME
    signal: Signal | None = None
    target: float | None = None
    min_pct: float = LEAST_SHARE
    budget: float | None = None


_HUNTER = Preset(Sliders(0.7, 0.3, 0.8, 0.4, 0.6), Toggles(trailing=True, regime=True))

PRESETS = {
    "momentum_hunter": _HUNTER,
    "steady_eddy": Preset(Sliders(0.3, 0.8, 0.3, 0.7, 0.3), signal=Signal.STEADY),
    "dip_buyer": Preset(Sliders(0.5, 0.7, 0.2, 0.6, 0.4)),
    "dividend_catcher": Preset(
        Sliders(0.4, 0.2, 0.5, 0.8, 0.8), dividends=Dividends.ACCUMULATE_CASH, signal=Signal.EX_DIVIDEND
    ),
    "custom": Preset(Sliders()),
    # One satellite beside the core, which takes what it earns above a tenth of the account.
    "dual": replace(
        _HUNTER, toggles=replace(_HUNTER.toggles, harvest=True), target=DUAL, min_pct=MIN_PCT["dual"], budget=DUAL
    ),
}


def settings(
    preset: str,
    sliders: Mapping[str, float] | None = None,
    toggles: Mapping[str, bool] | None = None,
    dividends: str | None = None,
) -> Settings:
    """Return the settings of a satellite that begins as a preset.

    Args:
        preset: its name in ``PRESETS``.
        sliders: positions from 0 to 1 by name; the preset's where one is not named.
        toggles: by name; the preset's where one is not named.
        dividends: ``reinvest_same``, ``send_to_core`` or ``accumulate_cash``; None is the preset's.

    Raises:
        ValueError: a name that is unknown, or a value that is none; one line per finding.

    >>> settings("dip_buyer", {"risk": 0.2}).parameters.stop
    0.08
    """
    findings = [
        *_unknown("preset", [preset], PRESETS),
        *_unknown("sliders", sliders or {}, (one.name for one in fields(Sliders))),
        *_unknown("toggles", toggles or {}, (one.name for one in fields(Toggles))),
        *_unknown("dividends", [dividends] if dividends else [], (one.name.lower() for one in Dividends)),
        *_no_positions(sliders or {}),
        *(
            f"toggles.{name}: {value!r}: expected true or false"
            for name, value in (toggles or {}).items()
            if not isinstance(value, bool)
        ),
    ]
    if findings:
        raise ValueError("\n".join(findings))
    begun = PRESETS[preset]
    return Settings(
        preset,
        replace(begun.sliders, **(sliders or {})),
        replace(begun.toggles, **(toggles or {})),
        Dividends[dividends.upper()] if dividends else begun.dividends,
    )


def settings_of(satellite: Satellite) -> Settings:
    """Return the settings of a study's satellite: its preset's, but for what it says itself."""
    return settings(
        satellite.preset,
        satellite.sliders.model_dump(exclude_none=True),
        satellite.toggles.model_dump(exclude_none=True),
        satellite.dividends,
    )


def rails(budget: float, targets: Mapping[str, float], min_pcts: Mapping[str, float]) -> list[str]:
    """Return what of a plan leaves the rails, one line per finding; none for a plan that keeps to them.

    Args:
        budget: share of the account for all satellites together, a fraction.
        targets: share of the account that each satellite is meant to have, by its name.
        min_pcts: share below which each does not trade, by its name.
    """
    findings = []
    if not 0 <= budget <= MAX_BUDGET:
        findings.append(f"budget: {budget:g}: expected 0 to {MAX_BUDGET:g}")
    for name, target in targets.items():
        if not LEAST_SHARE <= min_pcts[name] <= MAX_PCT:
            findings.append(f"{name}.min_pct: {min_pcts[name]:g}: expected {LEAST_SHARE:g} to {MAX_PCT:g}")
        elif not min_pcts[name] <= target <= MAX_PCT:
            findings.append(f"{name}.target: {target:g}: expected {min_pcts[name]:g} to {MAX_PCT:g}")
    together = math.fsum(targets.values())
    if together > budget + WHOLE:
        findings.append(f"targets: {together:g} together: expected at most the budget, {budget:g}")
    return findings


def _whole(number: float) -> int:
    """Return a number cut to a whole one."""
    return math.floor(number + WHOLE)


def _unknown(where: str, names: Any, known: Any) -> list[str]:
    """Return a finding for each name that is not known."""
    expected = list(known)
    return [
        f"{where}: {name!r}: expected one of {', '.join(expected)}{did_you_mean(str(name), expected)}"
        for name in names
        if name not in expected
    ]


def _no_positions(sliders: Mapping[str, float]) -> list[str]:
    """Return a finding for each value that no slider can have."""
    return [
        f"sliders.{name}: {value!r}: expected a number from 0 to 1"
        for name, value in sliders.items()
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1
    ]
