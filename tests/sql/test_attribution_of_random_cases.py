"""Attribution of random cases: against plain Python written from the definitions, and every law of the audit."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pytest
from support import lake_tables
from support.generators import Case, random_case
from support.ledger_readings import last_closes
from support.simulated_lake import CLASSES, asset_classes, fill_from_simulation, risk_free_returns

from pipelines.warehouse.audit import audit, read_identities
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import SimulationResult

CASES = range(20)
CASH = "(cash)"
NEGLIGIBLE = 1e-6
Key = tuple[str, str]


@dataclass(frozen=True)
class Simulated:
    """A random case, what the engine made of it, and a warehouse built on that."""

    case: Case
    result: SimulationResult
    con: duckdb.DuckDBPyConnection

    def rows(self, query: str) -> list[dict[str, object]]:
        return self.con.sql(query).to_arrow_table().to_pylist()


@pytest.fixture(scope="module", params=CASES)
def simulated(request: pytest.FixtureRequest) -> Iterator[Simulated]:
    case = random_case(request.param)
    with lake_tables.connect() as con:
        results = fill_from_simulation(con, case.panel, {"simulated": case.rules})
        lake_tables.build_all(con)
        yield Simulated(case, results["simulated"], con)


@dataclass
class Days:
    """Sessions of a case, worked out from marks and cash: arrays by session, or by session and asset."""

    case: Case
    result: SimulationResult
    months: list[str] = field(init=False)

    def __post_init__(self) -> None:
        panel, rules, daily = self.case.panel, self.case.rules, self.result.daily
        shape = panel.close.shape
        self.months = [f"{str(session)[:7]}-01" for session in panel.sessions.astype("datetime64[D]")]
        self.price = last_closes(panel)
        self.previous = np.vstack([self.price[:1], self.price[:-1]])
        quantity, self.income, self.fees, self.amount = (np.zeros(shape) for _ in range(4))
        self.interest = np.zeros(shape[0])
        for row in self.result.ledger:
            at = int(row["session"]), int(row["asset"])
            if row["asset"] >= 0:
                quantity[at] += np.nan_to_num(row["quantity"])
                self.fees[at] += row["fee"]
                self.amount[at] += row["amount"]
                self.income[at] += row["amount"] * np.isnan(row["quantity"])
            elif Kind(row["kind"]) is Kind.INTEREST:
                self.interest[row["session"]] += row["amount"]
        holdings = quantity.cumsum(axis=0)
        self.held = np.vstack([np.zeros(shape[1]), holdings[:-1]])
        self.profit = np.diff(holdings * self.price, axis=0, prepend=0.0) + self.amount
        self.opening_value = np.concatenate([[rules.capital], daily["value"][:-1]]) + daily["deposits"]
        self.opening_bank = np.concatenate([[rules.capital], daily["bank"][:-1]]) + daily["deposits"]
        self.risk_free = risk_free_returns(panel)
        self.asset_return = (self.price + panel.dividends) / self.previous - 1
        self.asset_return[0] = 0.0

        profit = self.profit.sum(axis=1) + self.interest
        # Where there is nothing, nothing is earned.
        self.returns = {t: profit[t] / opening for t, opening in enumerate(self.opening_value) if opening > NEGLIGIBLE}


def carino(one: float, other: float = 0.0) -> float:
    """(ln(1 + one) - ln(1 + other)) / (one - other), and what it tends to where they are the same."""
    return 1 / (1 + one) if one == other else math.log1p((one - other) / (1 + other)) / (one - other)


def compounded(returns: list[float]) -> float:
    return math.prod(1 + r for r in returns) - 1


def linked(
    days: Days, effects: Callable[[int], dict[str, float]], other: list[float]
) -> tuple[dict[Key, float], dict[str, float]]:
    """Link the effects of sessions by Carino over each month, and over the whole; other: returns compared with."""
    by_month: dict[Key, float] = defaultdict(float)
    returns: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for t, one in days.returns.items():
        month = days.months[t]
        returns[month].append((one, other[t]))
        for name, effect in effects(t).items():
            by_month[month, name] += effect * carino(one, other[t])
    factors = {month: carino(*map(compounded, map(list, zip(*pairs, strict=True)))) for month, pairs in returns.items()}
    everything = [pair for pairs in returns.values() for pair in pairs]
    total_factor = carino(*map(compounded, map(list, zip(*everything, strict=True))))
    whole: dict[str, float] = defaultdict(float)
    for (_, name), effect in by_month.items():
        whole[name] += effect / total_factor
    return {(month, name): effect / factors[month] for (month, name), effect in by_month.items()}, whole


def test_every_law_holds(simulated):
    broken = [
        verdict for verdict in audit(simulated.con, read_identities(lake_tables.SQL / "audit")) if not verdict.passed
    ]
    assert not broken, [(verdict.check, verdict.examples) for verdict in broken]


def test_monthly_profit_of_assets_is_change_of_worth_and_cash(simulated):
    days = Days(simulated.case, simulated.result)
    expected: dict[Key, np.ndarray] = defaultdict(lambda: np.zeros(4))
    for t, month in enumerate(days.months):
        for position, ticker in enumerate(simulated.case.panel.tickers):
            profit, income, fees = (table[t, position] for table in (days.profit, days.income, days.fees))
            expected[month, ticker] += profit - income + fees, income, fees, profit
        expected[month, CASH] += 0, days.interest[t], 0, days.interest[t]
    found = {
        (str(row["month"]), row["ticker"]): [row[name] for name in ("price_gain", "income", "costs", "profit")]
        for row in simulated.rows("from attribution_asset")
    }
    tolerance = 1e-12 * max(simulated.case.rules.capital, simulated.result.daily["value"].max()) * 100
    for key, values in expected.items():
        # What was never bought has no row.
        assert found.get(key, [0.0] * 4) == pytest.approx(list(values), abs=tolerance), key
    assert found.keys() <= expected.keys()


def test_contributions_are_linked_by_carino(simulated):
    days, tickers = Days(simulated.case, simulated.result), simulated.case.panel.tickers

    def contributions(t: int) -> dict[str, float]:
        parts = {ticker: days.profit[t, position] for position, ticker in enumerate(tickers)}
        return {name: part / days.opening_value[t] for name, part in {**parts, CASH: days.interest[t]}.items()}

    months, whole = linked(days, contributions, [0.0] * len(days.months))
    found = {(str(row["month"]), row["ticker"]): row for row in simulated.rows("from attribution_asset")}
    scale = max(1.0, *map(abs, whole.values()))
    for key, value in months.items():
        # What was never bought has no row.
        assert (found[key]["contribution"] if key in found else 0.0) == pytest.approx(value, abs=1e-11 * scale), key
    for row in simulated.rows("from report_attribution"):
        assert row["contribution"] == pytest.approx(whole[row["ticker"]], abs=1e-11 * scale)
    assert sum(whole.values()) == pytest.approx(compounded([*days.returns.values()]), abs=1e-10 * scale)


@dataclass
class Policy:
    """The policy mix, held as money in assets and in cash, put back to its targets monthly and where they change."""

    weights: list[dict[str, float]]
    class_returns: list[dict[str, float | None]]
    returns: list[float]


def run_policy(case: Case, days: Days) -> Policy:
    rules, names = case.rules, asset_classes(case.panel)
    money, cash = np.zeros(len(names)), 1.0
    targets = rules.targets.weights[rules.targets.rows_by_session(case.panel.sessions)]
    policy = Policy([], [], [])
    for t, month in enumerate(days.months):
        total = money.sum() + cash
        members = {name: [i for i, own in enumerate(names) if own == name] for name in sorted(set(names))}
        worth = {name: money[positions].sum() for name, positions in members.items()}
        gain = {name: (money * days.asset_return[t])[positions].sum() for name, positions in members.items()}
        policy.weights.append({CASH: cash / total, **{name: value / total for name, value in worth.items()}})
        policy.class_returns.append(
            {
                CASH: days.risk_free[t] if abs(cash) > 1e-12 * total else None,
                **{name: gain[name] / worth[name] if worth[name] else None for name in members},
            }
        )
        money, cash = money * (1 + days.asset_return[t]), cash * (1 + days.risk_free[t])
        policy.returns.append((money.sum() + cash) / total - 1)
        if t == 0 or month != days.months[t - 1] or (targets[t] != targets[t - 1]).any():
            value = money.sum() + cash
            money = value * (1 - rules.reserve) * targets[t]
            cash = value - money.sum()
    return policy


def test_effects_are_those_of_brinson_and_fachler_with_the_rest_in_trading(simulated):
    case, days = simulated.case, Days(simulated.case, simulated.result)
    policy = run_policy(case, days)
    names = asset_classes(case.panel)

    def effects(t: int) -> dict[str, float]:
        found = {}
        for name in {CASH, *names}:
            own = [i for i, of in enumerate(names) if of == name]
            opening, weight = days.opening_value[t], policy.weights[t][name]
            if name == CASH:
                worth, gain, contribution = days.opening_bank[t], days.interest[t], days.interest[t] / opening
            else:
                worth = (days.held[t] * days.previous[t])[own].sum()
                paid = days.price[t] - days.previous[t] + case.panel.dividends[t]
                gain = (days.held[t] * paid)[own].sum()
                contribution = days.profit[t][own].sum() / opening
            share = worth / opening
            earned = gain / worth if abs(share) > 1e-12 else None
            of_policy = policy.class_returns[t][name]
            of_policy = of_policy if of_policy is not None else earned if earned is not None else 0.0
            earned = of_policy if earned is None else earned
            found[name, "allocation"] = (share - weight) * (of_policy - policy.returns[t])
            found[name, "selection"] = weight * (earned - of_policy)
            found[name, "interaction"] = (share - weight) * (earned - of_policy)
            found[name, "trading"] = contribution - share * earned
        return found

    months, whole = linked(days, effects, policy.returns)
    scale = max(1.0, compounded([*days.returns.values()]), compounded(policy.returns))
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for row in simulated.rows("from attribution_brinson"):
        for effect in ("allocation", "selection", "interaction", "trading"):
            name = (row["asset_class"], effect)
            assert row[effect] == pytest.approx(months[str(row["month"]), name], abs=1e-10 * scale), (row, effect)
            sums[name] += row[f"linked_{effect}"]
    assert sums == pytest.approx(dict(whole), abs=1e-10 * scale)
    active = compounded([*days.returns.values()]) - compounded([policy.returns[t] for t in days.returns])
    assert sum(sums.values()) == pytest.approx(active, abs=1e-9 * scale)


def test_opportunity_cost_is_what_the_benchmark_would_have_earned_on_the_same_money(simulated):
    case, days = simulated.case, Days(simulated.case, simulated.result)
    level = np.cumprod(1 + days.asset_return, axis=0).mean(axis=1)
    benchmark = np.concatenate([[0.0], level[1:] / level[:-1] - 1])
    expected = {
        ticker: (days.held[:, i] * days.previous[:, i] * benchmark - days.profit[:, i]).sum()
        for i, ticker in enumerate(case.panel.tickers)
    }
    reserve = case.rules.reserve * days.opening_value
    expected[CASH] = ((days.opening_bank - reserve) * benchmark - (days.interest - reserve * days.risk_free)).sum()
    found = {row["ticker"]: row["opportunity_cost"] for row in simulated.rows("from report_opportunity_cost")}
    tolerance = 1e-10 * max(case.rules.capital, simulated.result.daily["value"].max())
    for ticker, cost in expected.items():
        assert found.get(ticker, 0.0) == pytest.approx(cost, abs=tolerance), ticker


def test_cases_cover_what_is_hard():
    """Every kind of booking but transfers, margin, reserves, both classes, and assets without a weight are there."""
    cases = [random_case(seed) for seed in CASES]
    booked = {kind for case in cases for result in simulate(case.panel, [case.rules]) for kind in result.ledger["kind"]}
    # What moves in and out between portfolios is booked where one is simulated in steps alone.
    assert booked == set(Kind) - {Kind.TRANSFER_IN, Kind.TRANSFER_OUT}
    rules = [case.rules for case in cases]
    assert any(scenario.margin_limit for scenario in rules)
    assert any(scenario.reserve for scenario in rules)
    assert any((scenario.targets.weights[0] == 0).any() for scenario in rules)
    changes = [np.diff(scenario.targets.weights, axis=0).any() for scenario in rules]
    assert any(changes)
    assert not all(changes)
    assert any(scenario.targets.weights.sum(axis=1).min() < 0.99 for scenario in rules)
    assert any(len(case.panel.tickers) >= len(CLASSES) for case in cases)
