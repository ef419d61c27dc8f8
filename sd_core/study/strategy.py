"""A strategy: the parts that it is made of, and which of them go together.

What a rule does to a portfolio belongs in ``simulation``.
"""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from sd_core.study.findings import MisfitError, show
from sd_core.study.parts import (
    COUNT,
    FILLED_IN,
    FRACTION,
    RATIO,
    Allocation,
    Bands,
    Cash,
    Costs,
    Harvest,
    Margin,
    Part,
    Rebalance,
    Rung,
    Withdrawals,
)

DEFAULT_SD_N = 8.0
DEFAULT_PROFIT_SHARE = 0.5


class Rule(Rung):
    """The Synthetic Dividend rule of a strategy, and what restrains it."""

    variant: Literal["full", "ath_only", "ath_sell"] = Field("full", description="Which trades the rule makes.")
    sizing: Literal["gain_share", "symmetric"] = Field("gain_share", description="How much a sale sells.")
    order: Literal["universe", "nav_opportunistic"] = Field(
        "universe", description="In which order assets trade on a leg."
    )
    path: Literal["nearest", "low_first", "high_first", "close_only"] = Field(
        "nearest", description="Assumed order of the prices within a bar."
    )
    anchor: Literal["ladder", "fill"] = Field("ladder", description="Where the anchor lies after a fill.")
    max_rungs: int = Field(
        64,
        ge=1,
        le=10_000,
        description="Most rungs that an asset fills or passes per side and leg.",
        json_schema_extra=COUNT,
    )
    adaptive_bracket: bool = Field(False, description="Whether brackets follow how often prices gap over a rung.")
    cash_low: float | None = Field(
        None, gt=0, le=1, description="Share of cash below which the rule buys less.", json_schema_extra=FRACTION
    )
    stop: float | None = Field(
        None, gt=0, lt=1, description="Drawdown beyond which the rule stops buying.", json_schema_extra=FRACTION
    )
    margin: Margin | None = Field(None, description="Credit on which the rule may buy; none by default.")

    @model_validator(mode="after")
    def _purchases_have_what_restrains_them(self) -> Self:
        if self.variant == "ath_only":
            unwanted = {"margin": self.margin, "cash_low": self.cash_low, "stop": self.stop}
            if misfits := [
                f"{name}: {_written(value)}: expected none, since the variant is ath_only and the rule does not buy"
                for name, value in unwanted.items()
                if value is not None
            ]:
                raise MisfitError(misfits)
        return self

    @property
    def sd_n_or_default(self) -> float | None:
        """Steps per doubling; None where the rule gives its bracket outright."""
        return DEFAULT_SD_N if self.spacing is None else self.sd_n

    @property
    def spacing_or_default(self) -> float:
        """The bracket that an asset without its own trades at."""
        return self.spacing or 2.0 ** (1.0 / DEFAULT_SD_N) - 1.0

    @property
    def profit_share_or_default(self) -> float:
        """The profit share that an asset without its own trades at."""
        return DEFAULT_PROFIT_SHARE if self.profit_share is None else self.profit_share


def _written(value: object) -> str:
    return show(value.model_dump(exclude_unset=True) if isinstance(value, Part) else value)


class Strategy(Part):
    """One strategy. ``docs/simulation.md`` says what each key does."""

    allocation: Allocation | None = Field(None, description="Target weights; the universe's by default.")
    rule: Rule | None = Field(None, description="The Synthetic Dividend rule; without it nothing trades on the path.")
    rebalance: Rebalance | None = Field(None, description="When the portfolio returns to its target weights.")
    band: Bands | None = Field(None, description="How far weights may be from their targets.")
    cash: Cash | None = Field(None, description="When cash is deployed.")
    drift: float | None = Field(
        None,
        gt=0,
        description="Excess of a weight over its target, in targets, above which profit is taken.",
        json_schema_extra=RATIO,
    )
    premium_spread: float | None = Field(
        None,
        gt=0,
        description="Highest premium less the lowest, above which the one asset is sold for the other.",
        json_schema_extra=FRACTION,
    )
    harvest: Harvest | None = Field(None, description="Which losses are realised for their taxes; needs taxes.")
    dividends: Literal["bank", "reinvest"] | None = Field(
        None,
        description="Where dividends go: to the bank, or into the asset that pays them.",
        json_schema_extra=FILLED_IN,
    )
    lot_order: Literal["lifo", "fifo"] = Field("lifo", description="Which buyback lots a sale takes first.")
    costs: Costs | None = Field(None, description="Costs of this strategy where they are not the study's.")
    withdrawals: Withdrawals | None = Field(None, description="Its withdrawals where they are not the study's.")
    keep: Literal["ledger", "daily", "metrics"] = Field(
        "ledger", description="What is kept of a scenario: all, its days and metrics, or its metrics alone."
    )

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if misfits := [*self._lot_misfits(), *self._rebalance_misfits()]:
            raise MisfitError(misfits)
        return self

    def _lot_misfits(self) -> Iterator[str]:
        if self.rule is not None and self.rule.sizing == "symmetric" and self.lot_order != "lifo":
            yield f"lot_order: {self.lot_order}: expected lifo, since the sizing is symmetric"

    def _rebalance_misfits(self) -> Iterator[str]:
        """Name what could never do anything: it would mislead the reader of the study."""
        rebalance = self.rebalance
        if rebalance is None:
            return
        if rebalance.on_change is not None and not self.has_changing_targets:
            yield (
                f"rebalance.on_change: {show(rebalance.on_change)}: expected none, since the allocation has neither "
                "schedule nor mix and never changes"
            )
        elsewhere = (self.band, self.cash, self.drift, self.premium_spread)
        if self.rebalances:
            return
        if rebalance.patience is not None:
            yield (
                f"rebalance.patience: {_written(rebalance.patience)}: expected none, since no trigger asks for a trade "
                "that could wait"
            )
            return
        if rebalance.cost_aware is None and rebalance.on_change is None:
            yield "rebalance.every: missing: expected a trigger: every, deviation or volatility"
        elif rebalance.cost_aware is not None and all(part is None for part in elsewhere):
            yield (
                f"rebalance.cost_aware: {_written(rebalance.cost_aware)}: expected none, since there is no trade to "
                "forgo without a trigger, band, cash, drift or premium_spread"
            )

    @property
    def dividends_or_default(self) -> Literal["bank", "reinvest"]:
        """Where dividends go: what holds reinvests them, while a rule lives on the bank."""
        return self.dividends or ("bank" if self.rule else "reinvest")

    @property
    def mix(self) -> str | None:
        """The mix that decides the targets, or None where they are written in the study."""
        return None if self.allocation is None else self.allocation.mix

    @property
    def has_changing_targets(self) -> bool:
        """Whether the targets change."""
        return self.allocation is not None and self.allocation.weights is None

    @property
    def rebalances_on_change(self) -> bool:
        """Whether a change of targets triggers: it does unless the strategy says otherwise."""
        return self.has_changing_targets and (self.rebalance is None or self.rebalance.on_change is not False)

    @property
    def rebalances(self) -> bool:
        """Whether a trigger returns the portfolio to its targets."""
        return self.rebalances_on_change or (self.rebalance is not None and self.rebalance.has_trigger)

    @property
    def is_buy_and_hold(self) -> bool:
        """Whether nothing is traded but what comes in, and what withdrawals take."""
        trading = (self.rule, self.band, self.cash, self.drift, self.premium_spread, self.harvest)
        return all(part is None for part in trading) and not self.rebalances
