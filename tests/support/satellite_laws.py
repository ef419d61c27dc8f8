"""Laws that the history of any plan of satellites keeps, whatever engine wrote it."""

import numpy as np

from sd_core.buckets.history.contract import CORE, NO_TICKER, History
from sd_core.market.arrays import Floats, last_known
from sd_core.schemas.kinds import Kind, Outcome, Transfer
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


def assert_value_and_index_follow_the_rows(case: PlanCase, history: History) -> None:
    """A satellite is worth its cash and what its rows bought; its index leaves out what comes and goes."""
    ledger, panel = history.ledger, case.panel
    values = history.daily["value"].reshape(-1, len(case.plan.satellites))

    def by_satellite(of: np.ndarray) -> Floats:
        total = np.zeros(values.shape)
        np.add.at(total, (ledger["session"][of], ledger["bucket"][of]), ledger["amount"][of])
        return total

    held = np.zeros(panel.close.shape)
    trades = ledger[~np.isnan(ledger["quantity"])]
    np.add.at(held, (trades["session"], trades["asset"]), trades["quantity"])
    worth = np.nan_to_num(held.cumsum(axis=0) * last_known(panel.close))
    invested = np.stack([worth[:, list(one.tickers)].sum(axis=1) for one in case.plan.satellites], axis=1)
    cash = history.daily["cash"].reshape(values.shape)
    rounding = 1e-9 * case.plan.capital
    np.testing.assert_allclose(values, cash + invested, rtol=1e-9, atol=rounding)
    moves = [Transfer.OPENING, Transfer.HARVEST, Transfer.REALLOCATION, Kind.DEPOSIT]
    began = np.vstack([np.zeros_like(values[:1]), values[:-1]]) + by_satellite(np.isin(ledger["kind"], moves))
    stayed = values - by_satellite(ledger["kind"] == Transfer.DIVIDEND_SENT)
    growth = np.divide(stayed, began, out=np.ones_like(values), where=began > 1e-6)
    index = history.daily["twr_index"].reshape(values.shape)
    # Where next to nothing is there, the rounding of the cash is a return.
    counts = np.minimum.accumulate((began > 1.0) | (began <= 1e-6), axis=0)
    np.testing.assert_allclose(index[counts], np.cumprod(np.maximum(growth, 0.0), axis=0)[counts], rtol=1e-7)


def assert_trades_are_the_rows_of_the_ledger(history: History) -> None:
    ledger, trades = history.ledger, history.trades
    closed = trades["closed"] >= 0
    bought = np.isin(ledger["kind"], [Kind.BUY, Kind.DIVIDEND_BUY])
    assert (len(trades), closed.sum()) == ((ledger["kind"] == Kind.BUY).sum(), (ledger["kind"] == Kind.SELL).sum())
    for column, rows, sign in (
        ("cost", bought, -1),
        ("proceeds", ledger["kind"] == Kind.SELL, 1),
        ("dividends", ledger["kind"] == Kind.DIVIDEND, 1),
    ):
        total = sign * ledger["amount"][rows].sum()
        np.testing.assert_allclose(np.nansum(trades[column]), total, rtol=1e-9, atol=1e-6)
    returns = (trades["proceeds"] + trades["dividends"]) / trades["cost"] - 1
    np.testing.assert_allclose(trades["trade_return"], returns, atol=1e-12)
    outcomes = np.select([returns < -0.01 - 1e-12, returns > 1e-12], [Outcome.LOSS, Outcome.WIN], Outcome.NEUTRAL)
    np.testing.assert_array_equal(trades["outcome"][closed], outcomes[closed])


def assert_settings_bound_what_is_held(case: PlanCase, history: History) -> None:
    """No satellite holds more positions than its settings say, and none costs more than they allow when opened."""
    values = history.daily["value"].reshape(-1, len(case.plan.satellites))
    held = history.daily["positions"].reshape(values.shape)
    for bucket, satellite in enumerate(case.plan.satellites):
        assert held[:, bucket].max() <= satellite.parameters.positions
        trades = history.trades[history.trades["bucket"] == bucket]
        paid = history.ledger[(history.ledger["kind"] == Kind.BUY) & (history.ledger["bucket"] == bucket)]
        most = values[paid["session"] - 1, bucket] * trades["factor"] * satellite.parameters.size
        assert (-paid["amount"] <= most * (1 + 1e-9)).all()
        assert (trades["factor"][trades["is_test"]] <= 0.25).all()


def assert_laws(case: PlanCase, history: History) -> None:
    """Hold a history to every law."""
    assert_nothing_is_bought_at_a_factor_of_0(history)
    assert_cash_is_the_sum_of_the_ledger(case, history)
    assert_no_money_is_lost_between_buckets(case, history)
    assert_tickers_are_traded_by_their_satellite(case, history)
    assert_shares_sum_to_the_whole(case, history)
    assert_fills_lie_in_their_bars(case, history)
    assert_value_and_index_follow_the_rows(case, history)
    assert_trades_are_the_rows_of_the_ledger(history)
    assert_settings_bound_what_is_held(case, history)
