"""sd8 on closes alone, as an algo of bt: every rung is one transaction at the close, and all assets share the cash.

bt knows one price per asset and date. The algo trades at it through ``transact`` and leaves no update to be done in
between, which is the fastest way that bt offers.
"""

import bt
import numpy as np
import pandas as pd
from case import DUST, TOUCH, Case, Outcome, measure, read_case


class SyntheticDividend(bt.Algo):
    """The rule of one scenario, with a list of what it traded."""

    def __init__(self, case: Case, reserve: float) -> None:
        super().__init__()
        self.closes = case.close.tolist()
        self.budget = case.capital * (1 - reserve) / case.close.shape[1]
        self.bracket, self.share = case.bracket, case.profit_share
        self.session = 0
        self.holdings: list[float] = []
        self.anchors: list[float] = []
        self.fills, self.turnover = 0, 0.0

    def __call__(self, target: bt.Strategy) -> bool:
        """Trade at the closes of one date: sales of all assets before any purchase."""
        prices = self.closes[self.session]
        assets = list(target.children.values())
        if self.session == 0:
            self.anchors = list(prices)
            self.holdings = [self.budget / price for price in prices]
            for asset, quantity in zip(assets, self.holdings, strict=True):
                asset.transact(quantity, update=False)
        else:
            cash = self.sell(assets, prices, target.capital)
            self.buy(assets, prices, cash)
        self.session += 1
        return True

    def sell(self, assets: list[bt.Security], prices: list[float], cash: float) -> float:
        """Sell at every rung that the closes reach, and return the cash there is then."""
        for place, price in enumerate(prices):
            while price >= (limit := self.anchors[place] * (1 + self.bracket)) * (1 - TOUCH):
                quantity = self.bracket * self.holdings[place] * self.share / (1 + self.bracket)
                self.trade(assets[place], place, -quantity, price)
                self.anchors[place] = limit
                cash += quantity * price
        return cash

    def buy(self, assets: list[bt.Security], prices: list[float], cash: float) -> None:
        """Buy at every rung that the closes reach, as long as the cash covers it."""
        for place, price in enumerate(prices):
            while price <= (limit := self.anchors[place] / (1 + self.bracket)) * (1 + TOUCH):
                quantity = self.bracket * self.holdings[place] * self.share
                if quantity * price > cash + DUST:
                    break
                self.trade(assets[place], place, quantity, price)
                self.anchors[place] = limit
                cash -= quantity * price

    def trade(self, asset: bt.Security, place: int, quantity: float, price: float) -> None:
        """Hand one trade to bt."""
        asset.transact(quantity, update=False)
        self.holdings[place] += quantity
        self.fills += 1
        self.turnover += abs(quantity) * price


def simulate(case: Case) -> list[bt.Backtest]:
    """Run the scenarios one after the other."""
    names = [f"A{number}" for number in range(case.close.shape[1])]
    closes = pd.DataFrame(case.close, index=pd.DatetimeIndex(case.sessions), columns=names)
    tests = []
    for reserve in case.reserves:
        assets = [bt.Security(name) for name in names]
        strategy = bt.Strategy("sd8", [SyntheticDividend(case, float(reserve))], children=assets)
        tests.append(bt.Backtest(strategy, closes, initial_capital=case.capital, integer_positions=False))
        tests[-1].run()
    return tests


def read(tests: list[bt.Backtest]) -> list[Outcome]:
    """Read the outcomes; the values are bt's own."""
    found = []
    for test in tests:
        (algo,) = test.strategy.stack.algos
        found.append(Outcome(algo.fills, algo.turnover, float(np.asarray(test.strategy.values)[-1])))
    return found


if __name__ == "__main__":
    measure("bt", read_case(), simulate, read)
