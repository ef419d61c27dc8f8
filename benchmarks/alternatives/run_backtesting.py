"""sd8 on closes alone in whole shares, every asset by itself, as a strategy of backtesting.py, which knows one asset.

Orders are market orders filled at the close on which they are placed. backtesting.py asks a strategy from the second
bar on and fills an order on the bar after it, so the first and the last bar are there twice.
"""

import math
import warnings

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from case import DUST, TOUCH, Case, Outcome, measure, read_case

WHOLE = 1e-9


class SyntheticDividend(Strategy):
    """The rule for one asset; ``run`` hands over its parameters."""

    budget = 0.0
    bracket = 0.0
    share = 0.0
    anchor = math.nan
    fills = 0
    turnover = 0.0

    def init(self) -> None:
        """Nothing to prepare."""

    def next(self) -> None:
        """Trade at this bar's close."""
        price = float(self.data.Close[-1])
        if math.isnan(self.anchor):
            self.anchor = price
            self.buy(size=whole(self.budget / price))
            return
        if price >= self.anchor * (1 + self.bracket) * (1 - TOUCH):
            self.sell_rungs(price)
        elif price <= self.anchor / (1 + self.bracket) * (1 + TOUCH):
            self.buy_rungs(price)

    def sell_rungs(self, price: float) -> None:
        """Sell at every rung that the close reaches."""
        holdings = self.position.size
        while price >= (limit := self.anchor * (1 + self.bracket)) * (1 - TOUCH):
            if quantity := whole(self.bracket * holdings * self.share / (1 + self.bracket)):
                self.sell(size=quantity)
                holdings -= quantity
                self.count(quantity, price)
            self.anchor = limit

    def buy_rungs(self, price: float) -> None:
        """Buy at every rung that the close reaches, as long as the cash covers it."""
        holdings = self.position.size
        cash = self.equity - holdings * price
        while price <= (limit := self.anchor / (1 + self.bracket)) * (1 + TOUCH):
            if quantity := whole(self.bracket * holdings * self.share):
                if quantity * price > cash + DUST:
                    return
                self.buy(size=quantity)
                holdings += quantity
                cash -= quantity * price
                self.count(quantity, price)
            self.anchor = limit

    def count(self, quantity: int, price: float) -> None:
        """Note a trade."""
        self.fills += 1
        self.turnover += quantity * price


def whole(quantity: float) -> int:
    """Round down to whole shares."""
    return math.floor(quantity + WHOLE)


def simulate(case: Case) -> list[list[pd.Series]]:
    """Run every asset of every scenario by itself; return the statistics by scenario and asset."""
    capital = case.capital / case.close.shape[1]
    tests = [
        Backtest(bars(case, asset), SyntheticDividend, cash=capital, trade_on_close=True)
        for asset in range(case.close.shape[1])
    ]
    rule = {"bracket": case.bracket, "share": case.profit_share}
    return [[test.run(budget=capital * (1 - float(reserve)), **rule) for test in tests] for reserve in case.reserves]


def bars(case: Case, asset: int) -> pd.DataFrame:
    """Return one asset's prices with the first and the last bar twice."""
    rows = np.concatenate([[0], np.arange(len(case.sessions)), [-1]])
    columns = {"Open": case.open, "High": case.high, "Low": case.low, "Close": case.close}
    index = pd.DatetimeIndex(case.sessions)[rows].to_series()
    index.iloc[0] -= pd.Timedelta(days=1)
    index.iloc[-1] += pd.Timedelta(days=1)
    return pd.DataFrame({name: prices[rows, asset] for name, prices in columns.items()}, index=pd.DatetimeIndex(index))


def read(scenarios: list[list[pd.Series]]) -> list[Outcome]:
    """Add up the assets of each scenario; the values are backtesting.py's own."""
    found = []
    for results in scenarios:
        strategies = [result["_strategy"] for result in results]
        found.append(
            Outcome(
                sum(strategy.fills for strategy in strategies),
                sum(strategy.turnover for strategy in strategies),
                sum(float(result["Equity Final [$]"]) for result in results),
            )
        )
    return found


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Some trades remain open")
    measure("backtesting", read_case(), simulate, read)
