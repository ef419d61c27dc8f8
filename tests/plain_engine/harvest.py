"""Losses that are realised for their taxes: which, what replaces them, and what is bought back."""

from plain_engine import arrivals
from plain_engine.portfolio import Portfolio
from plain_engine.position import Position
from sd_core.schemas.kinds import Kind
from sd_core.simulation.rules import NO_SUBSTITUTE

# How many days after the sale of a loss the shares may not be replaced.
REPLACED_WITHIN = 30


class Harvest:
    """The losses of a portfolio: which are realised, and whose money waits."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        self.rules = portfolio.rules
        # The proceeds that wait to buy an asset back, by its place in the universe.
        self.waiting: dict[int, float] = {}

    def substitute_of(self, position: Position) -> Position | None:
        pairs = self.rules.substitutes
        if not pairs or pairs[position.asset] == NO_SUBSTITUTE:
            return None
        return self.portfolio.positions[pairs[position.asset]]

    def is_worth_it(self, position: Position) -> bool:
        """Return whether an asset has lost enough, and can be replaced if it has a substitute."""
        if not self.portfolio.may_trade(position) or position.holdings == 0:
            return False
        price, substitute = position.last_close, self.substitute_of(position)
        if substitute and not self.portfolio.may_trade(substitute):
            return False
        received = position.worth - self.portfolio.fee(position.holdings, price)
        is_far_below = price < position.average_cost * (1 - self.rules.harvest_loss)
        return is_far_below and position.cost - received >= self.rules.harvest_min

    def note(self, position: Position, proceeds: float) -> Position | None:
        """Block an asset that was sold; return what is bought in its place, or let the proceeds wait."""
        self.portfolio.block(position, REPLACED_WITHIN)
        substitute = self.substitute_of(position)
        if substitute is None:
            self.waiting[position.asset] = proceeds
            return None
        position.stands_for, substitute.stands_for = substitute.stands_for, position.stands_for
        position.weight, substitute.weight = substitute.weight, position.weight
        return substitute

    def buy_back(self) -> None:
        """Buy what waits and may be traded again, unless the targets have no use for it any more."""
        for position in self.portfolio.tradable:
            money = self.waiting.pop(position.asset, 0.0)
            wanted = money > 0 and position.weight > 0
            if wanted and arrivals.invest(self.portfolio, Kind.HARVEST_BUY, position, money):
                position.move_anchor(position.last_close)
