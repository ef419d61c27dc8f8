"""The random cases, on which the engines are compared, cover every rule and every kind of row a hundred times over."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from support.generators import HUGE_LOT, IDLE, Case, random_case
from support.ledger_readings import are, bought_back
from support.portfolio_laws import has_trigger, trigger_margin
from support.simulation_laws import (
    MONEY_TOLERANCE,
    ON_THE_PATH,
    SALES,
    WEIGHT_TOLERANCE,
    asked_for,
    coverage_surplus,
    is_compared,
    targets_by_session,
)
from support.walks import walked

from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import (
    Anchor,
    Every,
    LotOrder,
    Order,
    Path,
    Proceeds,
    Rules,
    Shortfall,
    Sizing,
    Variant,
    Width,
)

CASES = 6_000
RARE = 100
COMPARED = 0.95


def traits(case: Case, result: SimulationResult) -> Iterator[str]:
    """Yield what a case covers, by name; a name may come more than once."""
    yield from _traits_of_rules(case.rules)
    yield from _traits_of_targets(case)
    yield from _traits_of_panel(case.panel)
    yield from _traits_of_rows(result)
    yield from _traits_of_flows(case.rules, result.ledger)
    yield from _traits_of_patience(case, result)
    yield from _traits_of_harvests(case.rules, result.ledger)
    if case.rules.lot_order is LotOrder.FIFO and _some_sale_takes_two_lots(result):
        yield "oldest lots first, two in one sale"
    if case.rules.variant is Variant.ATH_SELL and _full_trades_otherwise(case, result):
        yield "sell rung below the highest close"
    if case.rules.adaptive_bracket:
        yield from _brackets_reached(case.rules, result)
    if is_compared(result):
        yield "compared row by row"
    yield from (f"{key} matters" for key in IDLE if _matters(case, key, result))
    yield from _traits_of_transfers(case)


def _traits_of_rules(rules: Rules) -> Iterator[str]:
    for member in (rules.variant, rules.sizing, rules.order, rules.path, rules.anchor, rules.lot_order):
        yield f"{type(member).__name__}.{member.name}"
    yield f"max_rungs {rules.max_rungs}"
    yield f"reserve {rules.reserve}"
    yield from (f"profit share {share:.0f}" for share in rules.profit_shares if share in (0, 1))
    yield from (f"lot size {size:g}" for size in rules.lot_sizes)
    yield "fixed fee" if rules.fee_fixed else "no fixed fee"
    yield "proportional fee" if rules.fee_rate else "no proportional fee"
    yield "credit" if rules.margin_limit else "no credit"
    if (rules.targets.weights[0] == 0).any():
        yield "weight 0"
    yield from _traits_of_bands(rules)
    if np.isfinite(rules.deviation):
        yield f"deviation {rules.deviation_width.name}"
    if rules.rebalance_every is not Every.NEVER:
        yield f"rebalanced every {rules.rebalance_every.name}"
    if rules.variant is Variant.NO_RULE and not (has_trigger(rules) or rules.banded):
        yield "no rule, trigger or band"


def _traits_of_bands(rules: Rules) -> Iterator[str]:
    if not rules.banded:
        return
    if np.isfinite(rules.band):
        yield f"band {rules.band_width.name}"
    if rules.band_edges is not None:
        yield "band with fixed edges"
        if np.isnan(rules.band_edges).any():
            yield "fixed edges beside " + ("no band" if np.isinf(rules.band) else "a band around a target")
    yield f"band under Order.{rules.order.name}"
    if rules.variant is Variant.NO_RULE:
        yield "band without a rule"
    if has_trigger(rules):
        yield "band beside a trigger"


def _traits_of_targets(case: Case) -> Iterator[str]:
    """Name what a case's targets do within its sessions."""
    rules, sessions = case.rules, case.panel.sessions
    targets, days = targets_by_session(case.panel, rules), rules.targets.sessions
    if (targets.sum(axis=1) < 1 - 1e-6).any():
        yield "weights sum to less than 1"
    within = days[(days > sessions[0]) & (days <= sessions[-1])]
    places = np.searchsorted(sessions, within)
    if not np.isin(within, sessions).all():
        yield "a row of targets between two sessions"
    if len(np.unique(places)) < len(places):
        yield "two rows of targets of one session"
    if (targets[places] == targets[places - 1]).all(axis=1).any():
        yield "rows that change nothing"
    if days[0] > sessions[0]:
        yield "first row after the first session"
    if (days[1:] <= sessions[0]).any():
        yield "second row by the first session"
    if days[-1] > sessions[-1]:
        yield "a row after the last session"
    if (targets[1:] == targets[:-1]).all():
        return
    yield "targets change"
    if rules.rebalance_on_change and not has_trigger(dataclasses.replace(rules, rebalance_on_change=False)):
        yield "targets change and nothing else triggers"
    if not rules.rebalance_on_change:
        yield "targets change and trigger nothing"
    if rules.banded:
        yield "targets change under bands"
    if rules.variant is not Variant.NO_RULE:
        yield "targets change under the rule on the path"


def _traits_of_panel(panel: Panel) -> Iterator[str]:
    no_bar, pays = np.isnan(panel.close), panel.dividends > 0
    yield f"{len(panel.tickers)} assets"
    yield "weekends" if not np.is_busday(panel.sessions.astype("datetime64[D]")).all() else "weekdays alone"
    yield "no price index" if panel.price_index is None else "price index"
    yield from (
        name
        for name, occurs in {
            "missing bar": no_bar.any(),
            "dividend without a bar": (no_bar & pays).any(),
            "dividend on the first session": pays[0].any(),
            "rate above 0": (panel.rates > 0).any(),
            "rate of 0": (panel.rates == 0).any(),
            "rate below 0": (panel.rates < 0).any(),
        }.items()
        if occurs
    )


def _traits_of_rows(result: SimulationResult) -> Iterator[str]:
    ledger, lots = result.ledger, result.lots
    for kind, leg in set(zip(ledger["kind"].tolist(), ledger["leg"].tolist(), strict=True)):
        yield Kind(kind).name
        if 0 <= leg <= 3:
            yield f"{Kind(kind).name} on leg {leg}"
    gains = ledger["buyback_gain"][~np.isnan(ledger["buyback_gain"])]
    yield from (f"gain of {'some' if gain else 'none'}" for gain in set((gains != 0).tolist()))
    if result.daily["passed_rungs"].any():
        yield "pass"
    if (result.daily["bank"] < -MONEY_TOLERANCE).any():
        yield "bank below 0"
    if (result.daily["value"] < -MONEY_TOLERANCE).any():
        yield "worth less than nothing"
    if len(np.unique(lots["lot"])) < len(lots):
        yield "lot sold in parts"
    if (lots["closed"] == -1).any():
        yield "lot still open"
    for asset in np.unique(ledger["asset"]):
        kinds = ledger["kind"][(ledger["asset"] == asset) & (ledger["leg"] >= 0)]
        refused = kinds[:-1] == Kind.SKIP_BUY
        if (refused & (kinds[1:] == Kind.BUY)).any():
            yield "refused, then bought"
        if (refused & (kinds[1:] == Kind.SKIP_BUY)).any():
            yield "refused, and refused again"
        lapsed = kinds[:-1] == Kind.SKIP_SELL
        if (lapsed & (kinds[1:] == Kind.SELL)).any():
            yield "lapsed, then sold"


def _traits_of_patience(case: Case, result: SimulationResult) -> Iterator[str]:
    """Name the trades that have waited: on a session without a trigger, where nothing but patience makes any."""
    rules = case.rules
    if not rules.patience:
        return
    if rules.banded:
        yield "patience beside a band"
    elif np.isinf(rules.premium_spread):
        kinds = result.ledger["kind"]
        later = (trigger_margin(case.panel, rules, result) <= -WEIGHT_TOLERANCE)[result.ledger["session"]]
        for kind in (Kind.REBALANCE_SELL, Kind.REBALANCE_BUY):
            if (later & (kinds == kind)).any():
                yield f"{kind.name} after a wait"


def _traits_of_harvests(rules: Rules, ledger: Rows) -> Iterator[str]:
    """Name the outcome of harvested losses."""
    sold = ledger[ledger["kind"] == Kind.HARVEST_SELL]
    if len(np.unique(sold["asset"])) < len(sold):
        yield "an asset harvested twice"
    if rules.substitutes and any(rules.substitutes[asset] in sold["asset"] for asset in sold["asset"]):
        yield "a pair swapped back"
    if bought_back(ledger).any():
        yield "bought back"
    if len(sold) and has_trigger(rules):
        yield "harvested beside a trigger"
    if len(sold) and rules.variant is not Variant.NO_RULE:
        yield "harvested beside the rule"


def _traits_of_flows(rules: Rules, ledger: Rows) -> Iterator[str]:
    """Name the rules of deposits and withdrawals where they had an effect."""
    kinds, asked = ledger["kind"], asked_for(ledger)
    if (kinds == Kind.DEPOSIT).any():
        yield f"deposit every {rules.deposit_every.name}" if rules.deposit else "deposits in lump sums alone"
    if len(asked):
        is_periodic = rules.withdrawal or rules.withdrawal_share
        yield f"withdrawal every {rules.withdrawal_every.name}" if is_periodic else "withdrawals in lump sums alone"
        yield from (name for name in ("withdrawal", "withdrawal_share") if getattr(rules, name))
    if (kinds == Kind.FUNDING_SELL).any():
        yield f"sales as Shortfall.{rules.shortfall.name}"
    if (asked["skipped_quantity"][asked["kind"] == Kind.WITHDRAWAL] > 0).any():
        yield f"withdrawal cut under Shortfall.{rules.shortfall.name}"
    if rules.coverage_min and len(asked):
        covered = coverage_surplus(rules, ledger) >= 0
        yield from (f"Proceeds.{rules.coverage_of.name} {'enough' if enough else 'too low'}" for enough in covered)


def _traits_of_transfers(case: Case) -> Iterator[str]:
    """Name the outcome of the transfers of a case; all else is looked at without them."""
    if not case.transfers:
        return
    ledger = walked(case.panel, case.rules, case.transfers).ledger
    went = ledger[ledger["kind"] == Kind.TRANSFER_OUT]
    yield from (kind.name for kind in (Kind.TRANSFER_IN, Kind.TRANSFER_OUT) if (ledger["kind"] == kind).any())
    if (went["skipped_quantity"] > 0).any():
        yield "transfer cut to what the bank holds"
    if any(flow < 0 and session not in went["session"] for session, flow in case.transfers.items()):
        yield "transfer out of an empty bank"


def _some_sale_takes_two_lots(result: SimulationResult) -> bool:
    """Return whether more parts of lots than sales bear the same session, asset and price."""
    sold = result.ledger[are(result.ledger["kind"], *SALES)]
    sales = Counter(sold[["session", "asset", "price"]].tolist())
    parts = Counter(result.lots[["closed", "asset", "sale_price"]][result.lots["closed"] >= 0].tolist())
    return any(parts[sale] > sales[sale] for sale in parts)


def _full_trades_otherwise(case: Case, result: SimulationResult) -> bool:
    """Return whether a rung was passed for its height alone: nothing else distinguishes the two variants."""
    (full,) = simulate(case.panel, [dataclasses.replace(case.rules, variant=Variant.FULL)])
    return full.ledger["kind"].tolist() != result.ledger["kind"].tolist()


def _matters(case: Case, key: str, result: SimulationResult) -> bool:
    """Return whether a case is simulated otherwise without one of its rules."""
    if np.array_equal(getattr(case.rules, key), IDLE[key]):
        return False
    (without,) = simulate(case.panel, [dataclasses.replace(case.rules, **{key: IDLE[key]})])
    return without.ledger.tobytes() != result.ledger.tobytes()


def _brackets_reached(rules: Rules, result: SimulationResult) -> Iterator[str]:
    """Name the adapted brackets that some asset ends with."""
    assert result.state is not None
    ends = result.state.positions["bracket"]
    adapted = ends[ends != rules.brackets]
    yield from (f"bracket of {steps:.0f} steps" for steps in 1 / np.log2(1 + adapted))


EXPECTED_TRAITS = {
    "compared row by row",
    *(f"{kind.__name__}.{member.name}" for kind in (Variant, Sizing, Order, Path, Anchor, LotOrder) for member in kind),
    *(f"max_rungs {bound}" for bound in (1, 2, 64)),
    *(f"reserve {reserve}" for reserve in (0.0, 0.05, 0.3, 0.6, 0.9)),
    *(f"lot size {size:g}" for size in (0, 0.01, 1, 10, HUGE_LOT)),
    *(f"{number} assets" for number in range(1, 7)),
    *(kind.name for kind in Kind),
    *(f"{kind.name} on leg {leg}" for kind in ON_THE_PATH for leg in range(4)),
    *("profit share 0", "profit share 1", "weight 0"),
    *("fixed fee", "no fixed fee", "proportional fee", "no proportional fee"),
    *("missing bar", "dividend without a bar", "dividend on the first session"),
    *("rate above 0", "rate of 0", "rate below 0"),
    *("pass", "gain of some", "gain of none", "lot sold in parts", "lot still open"),
    *("refused, then bought", "refused, and refused again"),
    *("credit", "no credit", "bank below 0", "worth less than nothing"),
    *(f"{flow} every {every.name}" for flow in ("deposit", "withdrawal") for every in list(Every)[1:]),
    *("withdrawal", "withdrawal_share", "deposits in lump sums alone", "withdrawals in lump sums alone"),
    *(f"sales as Shortfall.{policy.name}" for policy in list(Shortfall)[1:]),
    *(f"withdrawal cut under Shortfall.{policy.name}" for policy in Shortfall),
    *(f"Proceeds.{kind.name} {verdict}" for kind in Proceeds for verdict in ("enough", "too low")),
    *("oldest lots first, two in one sale", "sell rung below the highest close"),
    *(f"{key} matters" for key in IDLE),
    *(f"{rule} {kind.name}" for rule in ("band", "deviation") for kind in Width),
    *(f"rebalanced every {every.name}" for every in list(Every)[1:]),
    *(f"bracket of {steps} steps" for steps in (6, 8, 12)),
    *("no rule, trigger or band", "lapsed, then sold"),
    *("REBALANCE_SELL after a wait", "REBALANCE_BUY after a wait", "patience beside a band"),
    *("an asset harvested twice", "a pair swapped back", "bought back"),
    *("harvested beside a trigger", "harvested beside the rule"),
    *("transfer cut to what the bank holds", "transfer out of an empty bank"),
    *("band with fixed edges", "band without a rule", "band beside a trigger"),
    *(f"fixed edges beside {others}" for others in ("no band", "a band around a target")),
    *(f"band under Order.{order.name}" for order in Order),
    *("targets change", "targets change and nothing else triggers", "targets change and trigger nothing"),
    *("targets change under bands", "targets change under the rule on the path", "weights sum to less than 1"),
    *("a row of targets between two sessions", "two rows of targets of one session", "rows that change nothing"),
    *("first row after the first session", "second row by the first session", "a row after the last session"),
    *("weekends", "weekdays alone", "price index", "no price index"),
}


def test_random_cases_cover_every_rule_and_kind(record_property: Callable[[str, object], None]) -> None:
    cases: Counter[str] = Counter()
    for seed in range(CASES):
        case = random_case(seed)
        (result,) = simulate(case.panel, [case.rules])
        cases.update(set(traits(case, result)))

    counts = ", ".join(f"{trait} {count}" for trait, count in sorted(cases.items()))
    record_property("summary", f"{CASES} random cases, among them: {counts}")
    assert set(cases) == EXPECTED_TRAITS
    assert {trait: count for trait, count in cases.items() if count < RARE} == {}
    assert cases["compared row by row"] >= COMPARED * CASES
