"""Laws that the history of any plan of satellites keeps, whatever engine wrote it."""

import numpy as np

from sd_core.buckets.history.contract import CORE, NO_TICKER, History
from sd_core.schemas.kinds import Kind
from support.satellite_plans import PlanCase


def assert_nothing_is_bought_at_a_factor_of_0(history: History) -> None:
    factor = {(row["bucket"], row["session"]): row["factor"] for row in history.daily}
    for row in history.ledger[np.isin(history.ledger["kind"], [Kind.BUY, Kind.DIVIDEND_BUY])]:
        assert factor[row["bucket"], row["session"] - 1] > 0


def assert_cash_is_the_sum_of_the_ledger(case: PlanCase, history: History) -> None:
    for bucket in range(len(case.plan.satellites)):
        rows = history.ledger[history.ledger["bucket"] == bucket]
        paid = np.bincount(rows["session"], weights=rows["amount"], minlength=len(case.panel.sessions))
        cash = history.daily["cash"][history.daily["bucket"] == bucket]
        np.testing.assert_allclose(np.cumsum(paid), cash, atol=1e-9 * case.plan.capital)


def assert_no_money_is_lost_between_buckets(case: PlanCase, history: History) -> None:
    """What satellites give to one another cancels; the core gets the rest of what they give, and of deposits."""
    ledger, length = history.ledger, len(case.panel.sessions)

    def by_session(of: np.ndarray) -> np.ndarray:
        return np.bincount(ledger["session"][of], weights=ledger["amount"][of], minlength=length)

    rounding = 1e-9 * case.plan.capital
    np.testing.assert_allclose(by_session(ledger["counterparty"] >= 0), 0, atol=rounding)
    given, deposited = -by_session(ledger["counterparty"] == CORE), by_session(ledger["kind"] == Kind.DEPOSIT)
    np.testing.assert_allclose(history.core_flows, case.deposits - deposited + given, atol=rounding)


def assert_tickers_are_traded_by_their_satellite(case: PlanCase, history: History) -> None:
    for bucket, satellite in enumerate(case.plan.satellites):
        for rows in (history.ledger, history.trades):
            assets = rows["asset"][rows["bucket"] == bucket]
            assert np.isin(assets, [NO_TICKER, *satellite.tickers]).all()


def assert_shares_sum_to_the_whole(case: PlanCase, history: History) -> None:
    values = history.daily["value"].reshape(-1, len(case.plan.satellites))
    total = history.core_values + values.sum(axis=1)
    shares = history.daily["share"].reshape(values.shape)
    np.testing.assert_allclose(shares * total[:, None], values, atol=1e-9 * case.plan.capital)


def assert_fills_lie_in_their_bars(case: PlanCase, history: History) -> None:
    trades = history.ledger[~np.isnan(history.ledger["quantity"])]
    bar = (trades["session"], trades["asset"])
    assert (trades["price"] >= case.panel.low[bar] * (1 - 1e-11)).all()
    assert (trades["price"] <= case.panel.high[bar] * (1 + 1e-11)).all()
    at_the_open = trades["leg"] == 0
    np.testing.assert_array_equal(trades["price"][at_the_open], case.panel.open[bar][at_the_open])


def assert_laws(case: PlanCase, history: History) -> None:
    """Hold a history to every law."""
    assert_nothing_is_bought_at_a_factor_of_0(history)
    assert_cash_is_the_sum_of_the_ledger(case, history)
    assert_no_money_is_lost_between_buckets(case, history)
    assert_tickers_are_traded_by_their_satellite(case, history)
    assert_shares_sum_to_the_whole(case, history)
    assert_fills_lie_in_their_bars(case, history)
