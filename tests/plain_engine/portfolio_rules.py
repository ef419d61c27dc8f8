"""What a strategy does at the close beyond its rule: rebalancing, taking profit, trading a spread, deploying cash."""

import math
from dataclasses import dataclass

import numpy as np

from plain_engine.harvest import Harvest
from plain_engine.patience import Patience, Side
from plain_engine.portfolio import Portfolio
from plain_engine.position import SAME_MONEY, Band, Position, band_around, band_of, largest_first, weight_at
from sd_core.schemas.kinds import LEG_CLOSE, Kind
from sd_core.simulation.rules import Width


@dataclass(frozen=True)
class Step:
    """One step at the close: all its targets follow from what the portfolio was worth when it began."""

    portfolio: Portfolio
    value: float

    @property
    def reserve(self) -> float:
        return self.portfolio.rules.reserve * self.value

    @property
    def cash_above_reserve(self) -> float:
        return self.portfolio.bank - self.reserve

    def worth_at(self, weight: float) -> float:
        """Return what an asset of a weight is worth."""
        return weight * (1 - self.portfolio.rules.reserve) * self.value

    def weight(self, position: Position) -> float:
        return weight_at(self.portfolio.rules, position.worth, self.value)

    def excess(self, position: Position, weight: float) -> float:
        """Return by how much an asset is worth more than at a weight; below 0 what it is worth less."""
        return position.worth - self.worth_at(weight)

    def sell(self, kind: Kind, position: Position, wanted: float) -> float:
        """Sell whole lots of what is wanted and return the proceeds: 0 where the trade is not worth making."""
        return self.make_sale(kind, position, position.sellable(wanted))

    def make_sale(self, kind: Kind, position: Position, quantity: float) -> float:
        """Sell a quantity and return the proceeds: 0 where the trade is not worth making."""
        price = position.last_close
        if not (self.is_worth_making(quantity, price) and self.portfolio.pays_its_fee(quantity, price)):
            return 0.0
        proceeds = self.portfolio.sell(LEG_CLOSE, kind, position, quantity, price)
        position.move_anchor(price)
        return proceeds

    def buy(self, kind: Kind, position: Position, money: float, wanted: float = math.inf) -> bool:
        """Buy whole lots of what is wanted, and of at most a sum of money; return whether that was worth making."""
        price = position.last_close
        quantity = position.rounded(min(wanted, self.portfolio.affordable(money, price)))
        if not self.is_worth_making(quantity, price):
            return False
        self.portfolio.purchase(LEG_CLOSE, kind, position, quantity, price, position.premium(price))
        position.move_anchor(price)
        return True

    def is_worth_making(self, quantity: float, price: float) -> bool:
        traded, rules = quantity * price, self.portfolio.rules
        if self.value <= 0 or traded <= SAME_MONEY * self.value:
            return False
        return traded >= rules.min_trade and self.portfolio.fee(quantity, price) <= rules.max_cost * traded


class PortfolioRules:
    """The rules of the portfolio as a whole, in the order in which they act."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        self.rules = portfolio.rules
        self.patience = Patience(portfolio)
        self.harvest = Harvest(portfolio)
        self.spread_was_wide = False

    def act(self) -> None:
        self.rebalance()
        self.take_profit()
        self.trade_spread()
        self.deploy_cash()
        self.harvest_losses()

    def begin_step(self) -> Step:
        return Step(self.portfolio, self.portfolio.value())

    # Rebalancing.

    def rebalance(self) -> None:
        """Return assets to their targets where a trigger says so, else those outside their bands back to an edge."""
        step = self.begin_step()
        triggered = self.is_triggered(step)
        if self.rules.patience:
            self.rebalance_patiently(step, triggered)
            step = self.begin_step()
        elif triggered:
            exactly = {position.asset: Band(position.weight, position.weight) for position in self.portfolio.tradable}
            self.move_into_bands(step, exactly)
        if not triggered:
            bands = {position.asset: band_of(position, self.rules) for position in self.portfolio.tradable}
            self.move_into_bands(step, bands)

    def is_triggered(self, step: Step) -> bool:
        """Return whether some trigger holds: the calendar, targets that changed, a deviation, volatility."""
        changed = self.rules.rebalance_on_change and self.portfolio.targets_changed
        calendar = self.portfolio.begins_a(self.rules.rebalance_every)
        return changed or calendar or self.deviates(step) or self.is_volatile()

    def deviates(self, step: Step) -> bool:
        """Return whether some asset is further from its target than it may be."""
        width, kind = self.rules.deviation, self.rules.deviation_width
        return not math.isinf(width) and any(
            band_around(position.weight, width, kind).excludes(step.weight(position))
            for position in self.portfolio.tradable
        )

    def is_volatile(self) -> bool:
        """Return whether the returns before today's have moved more than they may."""
        window = self.rules.volatility_window
        if math.isinf(self.rules.volatility) or len(self.portfolio.returns) < window:
            return False
        per_session = float(np.std(self.portfolio.returns[-window:], ddof=1))
        return per_session * math.sqrt(self.portfolio.panel.periods_per_year) > self.rules.volatility

    def move_into_bands(self, step: Step, bands: dict[int, Band]) -> None:
        """Trade what is outside to the nearer edge of its band: all sales first, then all purchases."""
        trading = self.portfolio.tradable
        too_much = [position for position in trading if bands[position.asset].is_above(step.weight(position))]
        too_little = [position for position in trading if bands[position.asset].is_below(step.weight(position))]
        for position in too_much:
            excess = step.excess(position, bands[position.asset].upper)
            step.sell(Kind.REBALANCE_SELL, position, excess / position.last_close)
        for position in too_little:
            missing = -step.excess(position, bands[position.asset].lower)
            step.buy(Kind.REBALANCE_BUY, position, money=step.cash_above_reserve, wanted=missing / position.last_close)

    def rebalance_patiently(self, step: Step, triggered: bool) -> None:
        """Let what is off its target wait where a trigger says so, and trade what has waited enough: sales first."""
        if step.value <= 0:
            return
        trading = self.portfolio.tradable
        for position in trading:
            self.patience.look_at(position, side_of(step, position), triggered)
        for position in trading:
            if self.patience.is_due(position, Side.SALE):
                excess = step.excess(position, position.weight)
                sold = step.sell(Kind.REBALANCE_SELL, position, excess / position.last_close) > 0
                self.patience.end(position, done=sold)
        for position in trading:
            if self.patience.is_due(position, Side.PURCHASE):
                price, money = position.last_close, step.cash_above_reserve
                missing = -step.excess(position, position.weight)
                uncovered = missing - self.portfolio.affordable(money, price) * price
                bought = step.buy(Kind.REBALANCE_BUY, position, money=money, wanted=missing / price)
                self.patience.end(position, done=bought and uncovered <= SAME_MONEY * step.value)

    # Profit-taking.

    def take_profit(self) -> None:
        """Sell what is above its target of every asset that has drifted too far from it."""
        if math.isinf(self.rules.drift):
            return
        step = self.begin_step()
        for position in self.portfolio.tradable:
            limit = band_around(position.weight, self.rules.drift, Width.RELATIVE)
            if position.weight > 0 and limit.is_above(step.weight(position)):
                step.sell(Kind.PROFIT_SELL, position, step.excess(position, position.weight) / position.last_close)

    # The premium spread.

    def trade_spread(self) -> None:
        """Sell a rung of the dearest asset for the cheapest, once for as long as they are too far apart."""
        if math.isinf(self.rules.premium_spread):
            return
        trading = self.portfolio.tradable
        if len(trading) < 2:
            return  # one price has no spread, and says nothing of the one before
        # Of several equal ones, max and min take the first.
        dearest, cheapest = max(trading, key=premium_at_close), min(trading, key=premium_at_close)
        was_wide = self.spread_was_wide
        self.spread_was_wide = premium_at_close(dearest) - premium_at_close(cheapest) > self.rules.premium_spread
        if was_wide or not self.spread_was_wide:
            return
        step = self.begin_step()
        proceeds = step.sell(Kind.REBALANCE_SELL, dearest, dearest.rung_of_gain())
        if proceeds > 0:
            step.buy(Kind.REBALANCE_BUY, cheapest, money=min(proceeds, self.portfolio.bank))

    # Deployment.

    def deploy_cash(self) -> None:
        """Spend what the bank holds above the reserve where it holds too much: on targets, then on candidates."""
        if math.isinf(self.rules.cash_high):
            return
        step = self.begin_step()
        if self.portfolio.bank <= self.rules.cash_high * step.value:
            return
        missing = [(-step.excess(position, position.weight), position) for position in self.portfolio.tradable]
        for shortfall, position in largest_first(missing, SAME_MONEY * step.value):
            wanted = shortfall / position.last_close
            step.buy(Kind.DEPLOY_BUY, position, money=step.cash_above_reserve, wanted=wanted)

        positions = [self.portfolio.positions[asset] for asset in self.rules.candidates]
        candidates = [position for position in positions if self.portfolio.may_trade(position)]
        if candidates:
            part = step.cash_above_reserve / len(candidates)
            for position in candidates:
                step.buy(Kind.DEPLOY_BUY, position, money=part)

    # Tax-loss harvesting.

    def harvest_losses(self) -> None:
        """Sell whole what has lost enough, and buy its substitute or let the money wait."""
        if not self.portfolio.begins_a(self.rules.harvest_every):
            return
        step = self.begin_step()
        for position in self.portfolio.positions:
            if not self.harvest.is_worth_it(position):
                continue
            proceeds = step.make_sale(Kind.HARVEST_SELL, position, position.holdings)
            if proceeds > 0:
                substitute = self.harvest.note(position, proceeds)
                if substitute:
                    step.buy(Kind.HARVEST_BUY, substitute, money=min(proceeds, self.portfolio.bank))


def side_of(step: Step, position: Position) -> Side | None:
    """Return which trade an asset needs to be at its target: none where it is there but for rounding."""
    excess = step.excess(position, position.weight)
    if abs(excess) <= SAME_MONEY * step.value:
        return None
    return Side.SALE if excess > 0 else Side.PURCHASE


def premium_at_close(position: Position) -> float:
    return position.premium(position.last_close)
