"""Losses that are realised for their taxes, worked out by hand."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from support.generators import panel_of, rules_of, targets_of

from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import NO_SUBSTITUTE, Every, LotOrder, Rules, Variant
from sd_core.simulation.taxes.lots import tax_lots

A, S, G = range(3)
DAYS = np.array(["2026-01-05", "2026-02-02", "2026-03-02", "2027-03-03"], "datetime64[D]")


def harvesting(rules: Rules, substitutes: tuple[int, ...] = (), loss: float = 0.1, smallest: float = 100.0) -> Rules:
    return dataclasses.replace(
        rules, harvest_every=Every.MONTH, harvest_loss=loss, harvest_min=smallest, substitutes=substitutes
    )


def traded(result: SimulationResult, *kinds: Kind) -> list[tuple[int, str, int, float, float]]:
    """Return session, kind, asset, quantity and price of each trade after the first session, or of some kinds."""
    rows = result.ledger[(result.ledger["session"] > 0) & ~np.isnan(result.ledger["quantity"])]
    found = rows[["session", "kind", "asset", "quantity", "price"]].tolist()
    return [
        (session, Kind(kind).name, asset, quantity, price)
        for session, kind, asset, quantity, price in found
        if not kinds or kind in kinds
    ]


def example() -> tuple[Panel, Rules]:
    """100 A and 100 G bought at 100; G sold at 150 in February, with A at its target; A falls to 80 in March."""
    panel = panel_of([100.0, 100.0, 80.0, 100.0], [50.0, 50.0, 40.0, 50.0], [100.0, 150.0, 150.0, 150.0], sessions=DAYS)
    targets = targets_of({"2026-01-05": [0.5, 0.0, 0.5], "2026-02-02": [0.4, 0.0, 0.0]})
    rules = rules_of(targets=targets, capital=20_000.0, variant=Variant.NO_RULE, rebalance_on_change=True)
    return panel, harvesting(rules, substitutes=(S, A, NO_SUBSTITUTE))


def test_loss_of_the_worked_example_is_harvested_into_the_substitute(engine):
    result = engine(*example())
    assert traded(result) == [
        (1, "REBALANCE_SELL", G, -100.0, 150.0),
        (2, "HARVEST_SELL", A, -100.0, 80.0),
        (2, "HARVEST_BUY", S, 200.0, 40.0),
    ]
    lots = tax_lots(result.ledger, DAYS, LotOrder.LIFO, 3)
    sold, still_open = lots[lots["sale"] > 0], lots[lots["sale"] == 0]
    # 5 000 of G and -2 000 of A in one year, both short-term: 35 % of 3 000 are 1 050, and of 5 000 they are 1 750.
    assert [*zip(sold["asset"], sold["gain"], sold["long_term"], strict=True)] == [
        (G, 5_000, False),
        (A, -2_000, False),
    ]
    assert (sold["wash_sale_disallowed"] == 0).all()
    # 200 S are worth 10 000 and cost 8 000: 15 % of 2 000 are 300. A would be worth what it cost.
    assert [(row["asset"], row["quantity"], row["basis"], row["long_term"]) for row in still_open] == [
        (S, 200, 8_000, True)
    ]


@pytest.mark.parametrize(
    ("price", "loss", "smallest", "harvests"),
    [
        (89.0, 0.1, 0.0, True),
        (90.5, 0.1, 0.0, False),
        (80.0, 0.1, 2_001.0, False),
        (80.0, 0.1, 2_000.0, True),
        (80.0, 0.21, 0.0, False),
    ],
)
def test_loss_is_harvested_from_its_size_on(engine, price, loss, smallest, harvests):
    panel = panel_of([100.0, price], sessions=DAYS[:2])
    rules = harvesting(rules_of(capital=10_000.0, variant=Variant.NO_RULE), loss=loss, smallest=smallest)
    assert len(traded(engine(panel, rules))) == harvests


def test_fees_of_purchase_and_sale_are_part_of_the_loss(engine):
    # 100 shares cost 10 010 with the fee, and 90 less the fee of 10 are 8 990.
    panel = panel_of([100.0, 90.0], sessions=DAYS[:2])
    rules = rules_of(capital=10_010.0, variant=Variant.NO_RULE, fee_fixed=10.0)
    for smallest, number in ((1_020.0, 1), (1_020.01, 0)):
        assert len(traded(engine(panel, harvesting(rules, smallest=smallest)))) == number


def test_without_a_substitute_the_money_waits_and_buys_back_after_thirty_days(engine):
    days = np.array(["2026-01-05", "2026-02-02", "2026-03-04", "2026-03-05", "2026-04-01"], "datetime64[D]")
    panel = panel_of([100.0, 80.0, 70.0, 64.0, 64.0], sessions=days)
    rules = harvesting(rules_of(capital=10_000.0, variant=Variant.NO_RULE))
    # 4 March is the thirtieth day after 2 February. April finds no loss.
    assert traded(engine(panel, rules)) == [(1, "HARVEST_SELL", 0, -100.0, 80.0), (3, "HARVEST_BUY", 0, 125.0, 64.0)]


def test_nothing_buys_what_was_harvested_for_thirty_days(engine):
    # Deposits, the deviation and spare cash would; of the money that waits all goes to B.
    days = np.datetime64("2026-02-27") + np.array([0, 3, 4, 20, 33, 34, 35])
    prices = [100.0, 70.0, 70.0, 70.0, 70.0, 70.0, 70.0]
    deposits = tuple((str(day), 1_000.0) for day in days[2:])
    rules = rules_of(
        assets=2, capital=20_000.0, variant=Variant.NO_RULE, deviation=0.01, deposits_on=deposits, cash_high=0.0
    )
    rules = dataclasses.replace(rules, candidates=(0, 1))
    found = traded(engine(panel_of(prices, [100.0] * 7, sessions=days), harvesting(rules)))
    harvested = found.index((1, "HARVEST_SELL", 0, pytest.approx(-121.428571), 70.0))
    bought = [(session, kind) for session, kind, asset, quantity, _ in found[harvested + 1 :] if asset == 0]
    # 1 April is the thirtieth day after 2 March; on the next, nothing is left to buy back, and B is sold for A.
    assert bought[:2] == [(5, "DEPOSIT_BUY"), (5, "REBALANCE_BUY")]


def test_substitutes_swap_targets_until_a_loss_swaps_them_back(engine):
    days = np.array(["2026-01-05", "2026-02-02", "2026-02-03", "2026-04-01", "2026-04-02", "2026-06-01"], "M8[D]")
    panel = panel_of(
        [100.0, 80.0, 80.0, 60.0, 60.0, 60.0], [50.0, 40.0, 40.0, 30.0, 30.0, 33.0], [100.0] * 6, sessions=days
    )
    rules = rules_of(weights=[0.6, 0.1, 0.3], capital=10_000.0, variant=Variant.NO_RULE, deviation=0.001)
    result = engine(panel, harvesting(rules, substitutes=(S, A, NO_SUBSTITUTE)))
    held = {session: np.zeros(3) for session in range(6)}
    for row in result.ledger[~np.isnan(result.ledger["quantity"])]:
        for session in range(row["session"], 6):
            held[session][row["asset"]] += row["quantity"]
    # A is sold with its loss; S lies below its cost too, but A may not be bought. The next close returns to swapped
    # targets, 0.6 of S and nothing of A, which may not be bought either.
    assert held[1][A] == 0
    assert held[2] * [80, 40, 100] == pytest.approx(result.daily["value"][2] * np.array([0, 0.6, 0.3]))
    # In April S is sold for A, which may be bought again, and both have their own targets back.
    assert [kind for session, kind, asset, *_ in traded(result, Kind.HARVEST_SELL) if asset == S] == ["HARVEST_SELL"]
    assert held[3][S] == 0
    assert held[4] * [60, 30, 100] == pytest.approx(result.daily["value"][4] * np.array([0.6, 0, 0.3]))
    assert held[5] * [60, 33, 100] == pytest.approx(result.daily["value"][5] * np.array([0.6, 0.1, 0.3]))


def test_row_of_targets_that_comes_into_force_is_swapped_too(engine):
    panel, rules = example()
    panel = dataclasses.replace(
        panel, sessions=np.array(["2026-01-05", "2026-02-02", "2026-03-02", "2026-03-09"], "M8[D]")
    )
    targets = targets_of({"2026-01-05": [0.5, 0.0, 0.5], "2026-02-02": [0.4, 0.0, 0.0], "2026-03-09": [0.2, 0.0, 0.0]})
    found = traded(engine(panel, dataclasses.replace(rules, targets=targets)))
    # 200 S @ 50 and 15 000 in the bank: a fifth of 25 000 is to be left in S.
    assert found[-1] == (3, "REBALANCE_SELL", S, pytest.approx(-100.0), 50.0)


@pytest.mark.parametrize("bar", [(np.nan,) * 4, 40.0])
def test_loss_whose_substitute_has_no_bar_is_not_harvested(engine, bar):
    panel, rules = example()
    panel = panel_of([100.0, 100.0, 80.0], [50.0, 50.0, bar], [100.0, 150.0, 150.0], sessions=DAYS[:3])
    assert len(traded(engine(panel, rules), Kind.HARVEST_SELL)) == (bar == 40.0)


def test_target_of_nothing_is_not_bought_back(engine):
    days = np.array(["2026-01-05", "2026-02-02", "2026-02-10", "2026-03-05"], "datetime64[D]")
    targets = targets_of({"2026-01-05": [1.0], "2026-02-10": [0.0]})
    rules = harvesting(rules_of(targets=targets, capital=10_000.0, variant=Variant.NO_RULE))
    assert [kind for _, kind, *_ in traded(engine(panel_of([100.0, 80.0, 80.0, 80.0], sessions=days), rules))] == [
        "HARVEST_SELL"
    ]


def test_rule_begins_at_the_price_at_which_the_substitute_was_bought(engine):
    days = np.array(["2026-01-05", "2026-02-02", "2026-02-03"], "datetime64[D]")
    panel = panel_of([100.0, 80.0, 80.0], [55.0, 40.0, 44.0], sessions=days)
    rules = rules_of(weights=[1.0, 0.0], capital=10_000.0, bracket=0.1, profit_share=0.5)
    found = traded(engine(panel, harvesting(rules, substitutes=(1, 0))))
    # Rungs of A below 100 find no cash. 200 S at 40: a rung up is 44, and sells 0.1 * 200 * 0.5 / 1.1.
    assert found[-1] == (2, "SELL", 1, pytest.approx(-100 / 11), pytest.approx(44.0))


def harvested_kinds(**others: Any) -> Rules:
    return harvesting(rules_of(**others), substitutes=(1, 0, NO_SUBSTITUTE))


def test_nothing_that_comes_later_is_known(engine):
    rng = np.random.default_rng(5)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.04, (3, 160)), axis=1))
    noise = prices * np.where(np.arange(160) < 100, 1.0, np.exp(rng.normal(0, 0.1, (3, 160))))
    rules = harvested_kinds(assets=3, reserve=0.2, bracket=0.05)
    results = [engine(panel_of(*closes.tolist()), rules) for closes in (prices, noise)]
    first, second = (result.ledger[result.ledger["session"] < 100] for result in results)
    assert first.tobytes() == second.tobytes()
    assert (first["kind"] == Kind.HARVEST_SELL).sum() >= 2
