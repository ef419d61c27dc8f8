"""Withdrawals, and what is sold for them; the rule's anchors know nothing of it."""

from plain_engine.portfolio import NEGLIGIBLE_CASH, PORTFOLIO, Portfolio
from plain_engine.position import NOT_APPLICABLE, SAME_MONEY, Position, largest_first
from sd_core.schemas.kinds import LEG_CLOSE, Kind
from sd_core.simulation.rules import Proceeds, Shortfall

# By how much gains may differ by rounding, as fractions of the price.
SAME_GAIN = 1e-9


class Withdrawals:
    """What goes out at the close of the first session of each new period."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        self.rules = portfolio.rules
        self.scheduled = 0.0

    def pay(self) -> None:
        """Pay what a new period asks for: all, nothing where coverage is too low, else what can be raised."""
        portfolio = self.portfolio
        due = self.due()
        if due <= NEGLIGIBLE_CASH:
            return
        self.scheduled += due
        if not self.is_covered():
            self.skip(due)
            return
        if due > portfolio.bank + NEGLIGIBLE_CASH:
            self.raise_cash(due - portfolio.bank)
        paid = min(due, max(portfolio.bank, 0.0))
        if paid > NEGLIGIBLE_CASH:
            self.book_payment(due, paid)
        else:
            self.skip(due)

    def due(self) -> float:
        """Return what is due for every period that has begun, those without a session included, and in lump sums."""
        if self.portfolio.session == 0:
            return 0.0
        of_one = self.rules.withdrawal * self.price_level() + self.rules.withdrawal_share * self.portfolio.value()
        of_periods = max(of_one, 0.0) * self.portfolio.periods_begun(self.rules.withdrawal_every)
        return of_periods + self.portfolio.lump_sum(self.rules.withdrawals_on)

    def price_level(self) -> float:
        """Return the level of prices since the first session, where withdrawals follow them."""
        index = self.portfolio.panel.price_index
        if index is None or not self.rules.indexed:
            return 1.0
        return float(index[self.portfolio.session] / index[0])

    def is_covered(self) -> bool:
        """Return whether the rule's proceeds cover enough of all that was due so far, today's withdrawal included."""
        gross = self.rules.coverage_of is Proceeds.GROSS
        proceeds = self.portfolio.gross_proceeds if gross else self.portfolio.net_proceeds
        minimum = self.rules.coverage_min
        return minimum == 0 or proceeds >= minimum * self.scheduled

    def book_payment(self, due: float, paid: float) -> None:
        self.portfolio.day.withdrawals += paid
        cut = due - paid
        self.portfolio.book(
            LEG_CLOSE,
            Kind.WITHDRAWAL,
            PORTFOLIO,
            skipped_quantity=cut if cut > NEGLIGIBLE_CASH else NOT_APPLICABLE,
            amount=-paid,
        )

    def skip(self, due: float) -> None:
        self.portfolio.book(LEG_CLOSE, Kind.SKIP_WITHDRAWAL, PORTFOLIO, skipped_quantity=due, amount=0.0)

    # What is sold where the bank does not hold a withdrawal.

    def raise_cash(self, need: float) -> None:
        """Sell at the close, as the policy says, among the assets that trade today."""
        held = [position for position in self.portfolio.trading if position.holdings > 0]
        match self.rules.shortfall:
            case Shortfall.OVERWEIGHT:
                self.sell_pro_rata(self.sell_overweight(need, held), held)
            case Shortfall.PRO_RATA:
                self.sell_pro_rata(need, held)
            case Shortfall.LOWEST_TAX:
                self.sell_smallest_gains(need, held)

    def sell_overweight(self, need: float, held: list[Position]) -> float:
        """Sell what is above its target, the largest excess first, and return the need that is left."""
        value = self.portfolio.value()
        to_be_invested = (1 - self.rules.reserve) * value
        rounding = SAME_MONEY * abs(value)
        excesses = [(position.worth - position.weight * to_be_invested, position) for position in held]
        above = [(excess, position) for excess, position in excesses if excess > rounding]
        for excess, position in largest_first(above, rounding):
            need -= self.sell_for_cash(position, need, at_most=excess / position.last_close)
        return need

    def sell_pro_rata(self, need: float, held: list[Position]) -> None:
        """Sell the same share of every holding, one after the other until the need is met."""
        remaining = [position for position in held if position.holdings > 0]
        if not remaining or need <= NEGLIGIBLE_CASH:
            return
        before_fees = need + len(remaining) * self.rules.fee_fixed
        worth = sum(position.worth for position in remaining)
        share = min(1.0, before_fees / (worth * (1 - self.rules.fee_rate)))
        for position in remaining:
            need -= self.sell_for_cash(position, need, at_most=share * position.holdings)

    def sell_smallest_gains(self, need: float, held: list[Position]) -> None:
        """Sell of one asset after the other, the one that has gained least first."""
        losses = [(-position.gain, position) for position in held]
        for _, position in largest_first(losses, SAME_GAIN):
            need -= self.sell_for_cash(position, need, at_most=position.holdings)

    def sell_for_cash(self, position: Position, need: float, at_most: float) -> float:
        """Sell as much as raises what is needed, and return the proceeds."""
        if need <= NEGLIGIBLE_CASH:
            return 0.0
        return self.sell_if_it_pays(position, min(at_most, self.portfolio.enough_to_raise(need, position.last_close)))

    def sell_if_it_pays(self, position: Position, wanted: float) -> float:
        """Sell at the close and return the proceeds: nothing where that would not pay the fee."""
        price = position.last_close
        quantity = position.lots_covering(wanted)
        if not self.portfolio.pays_its_fee(quantity, price):
            return 0.0
        return self.portfolio.sell(LEG_CLOSE, Kind.FUNDING_SELL, position, quantity, price)
