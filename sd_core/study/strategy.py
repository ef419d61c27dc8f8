"""A strategy: its rules, and which of them go together.

What a rule does to a portfolio belongs in ``simulation``.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from sd_core.study.findings import MisfitError, show
from sd_core.study.parts import Band, CostAware, Costs, Margin, Rebalance, Rung, Withdrawals

DEFAULT_SD_N = 8.0
DEFAULT_PROFIT_SHARE = 0.5


class Strategy(Rung):
    """The rules of one strategy. ``docs/simulation.md`` says what each key does."""

    variant: Literal["full", "ath_only", "ath_sell", "buy_and_hold"] = "full"
    sizing: Literal["gain_share", "symmetric"] = "gain_share"
    coordination: Literal["simple", "nav_opportunistic", "target", "hybrid", "hold"] = "simple"
    path: Literal["nearest", "low_first", "high_first", "close_only"] = "nearest"
    anchor: Literal["ladder", "fill"] = "ladder"
    max_rungs: int = Field(
        64, ge=1, le=1_000_000, description="Most rungs that an asset fills or passes per side and leg."
    )
    lot_order: Literal["lifo", "fifo"] = "lifo"
    margin: Margin | None = Field(None, description="Credit on which the strategy may buy; none by default.")
    rebalance: Rebalance | None = Field(None, description="When the portfolio returns to its target weights.")
    band: Band | None = Field(None, description="Within which distance of its target the rule may trade an asset.")
    cost_aware: CostAware | None = Field(None, description="Which trades of the portfolio rules are too small or dear.")
    cash_low: float | None = Field(None, gt=0, le=1, description="Share of cash below which the rule buys less.")
    cash_high: float | None = Field(None, ge=0, lt=1, description="Share of cash above which the excess is deployed.")
    drift: float | None = Field(None, gt=0, description="Share of its target by which a weight may exceed it.")
    premium_spread: float | None = Field(None, gt=0, description="Spread of premiums above which one pair trades.")
    adaptive_bracket: bool = Field(False, description="Whether brackets follow the frequency of gaps.")
    portfolio_stop: float | None = Field(None, gt=0, lt=1, description="Drawdown beyond which the rule stops buying.")
    keep: Literal["ledger", "daily", "metrics"] = "ledger"
    costs: Costs | None = Field(None, description="Costs of this strategy where they are not the study's.")
    withdrawals: Withdrawals | None = Field(None, description="Its withdrawals where they are not the study's.")

    @model_validator(mode="after")
    def _symmetric_needs_the_newest_lot(self) -> Self:
        if self.sizing == "symmetric" and self.lot_order != "lifo":
            raise MisfitError([f"lot_order: {self.lot_order}: expected lifo, since the sizing is symmetric"])
        return self

    @model_validator(mode="after")
    def _rules_have_what_they_need(self) -> Self:
        if misfits := [*self._missing_parts(), *self._parts_without_effect()]:
            raise MisfitError(misfits)
        return self

    def _missing_parts(self) -> Iterator[str]:
        if self.coordination == "target" and self.rebalance is None:
            yield "rebalance: missing: expected a trigger, since the coordination is target"
        if self.coordination == "hybrid" and self.band is None:
            yield "band: missing: expected a width, since the coordination is hybrid"

    def _parts_without_effect(self) -> Iterator[str]:
        """Name what could never do anything: it would mislead whoever reads the study."""
        variant, coordination = self.variant, self.coordination
        if coordination not in ("target", "hold"):
            yield from self._unwanted(["rebalance"], f"the coordination is {coordination} and not target or hold")
        if coordination != "hybrid":
            yield from self._unwanted(["band"], f"the coordination is {coordination} and not hybrid")
        purchases = ("margin", "cash_low", "portfolio_stop")
        closing = ("drift", "premium_spread", "cash_high")
        if variant == "buy_and_hold":
            if coordination in ("target", "hybrid", "hold"):
                yield (
                    f"coordination: {coordination}: expected simple, since the variant is buy_and_hold; a rebalanced "
                    "portfolio has the variant full and the coordination hold"
                )
            everything = (*closing, "cost_aware", *purchases, "adaptive_bracket")
            yield from self._unwanted(everything, "the variant is buy_and_hold")
            return
        if coordination == "hold":
            reason = "the coordination is hold and the rule does not trade"
            yield from self._unwanted((*purchases, "adaptive_bracket"), reason)
        elif variant == "ath_only":
            yield from self._unwanted(purchases, "the variant is ath_only and the rule does not buy")
        if all(getattr(self, name) is None for name in ("rebalance", "band", *closing)):
            reason = f"there is no trade to forgo without rebalance, band, {', '.join(closing[:-1])} or {closing[-1]}"
            yield from self._unwanted(["cost_aware"], reason)

    def _unwanted(self, names: Iterable[str], reason: str) -> Iterator[str]:
        """Word a finding for each of the keys that is given."""
        for name in names:
            value = getattr(self, name)
            if value != type(self).model_fields[name].default:
                written = value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
                yield f"{name}: {show(written)}: expected none, since {reason}"

    @property
    def is_passive(self) -> bool:
        """Whether the rule never trades."""
        return self.variant == "buy_and_hold" or self.coordination == "hold"

    @property
    def sd_n_or_default(self) -> float | None:
        """Steps per doubling; None where the strategy gives its bracket outright."""
        return DEFAULT_SD_N if self.spacing is None else self.sd_n

    @property
    def spacing_or_default(self) -> float:
        """The bracket that an asset without its own trades at."""
        return self.spacing or 2.0 ** (1.0 / DEFAULT_SD_N) - 1.0

    @property
    def profit_share_or_default(self) -> float:
        """The profit share that an asset without its own trades at."""
        return DEFAULT_PROFIT_SHARE if self.profit_share is None else self.profit_share
