"""Laws of the audit hold for money of any size: rounding passes, a fault of a millionth does not."""

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest
from support import lake_tables
from support.generators import random_case
from support.simulated_lake import fill_from_simulation

from pipelines.warehouse.audit import audit, read_identities

IDENTITIES = {identity.name: identity for identity in read_identities(lake_tables.SQL / "audit")}
CAPITALS = (1e-3, 1e12)
# The number of a random case that buys fractions of shares without fixed fees and deposits, and spends its bank to 0:
# what is left of large sums there is their rounding alone.
SPENDS_ALL = 320

LAST = "session = (select max(session) from simulation_daily)"

# What is changed by a millionth of the money that it is reckoned from, and the law that this breaks.
FAULTS = {
    "amounts_add_up": "update simulation_ledger set amount = amount * (1 + 1e-6) where quantity > 0",
    "bank_follows_ledger": f"update simulation_daily set bank = bank + 1e-6 * {{capital}} where {LAST}",
    "bank_follows_flows": f"update simulation_daily set bank = bank + 1e-6 * {{capital}} where {LAST}",
    "value_is_bank_plus_holdings": f"update simulation_daily set value = value * (1 + 1e-6) where {LAST}",
    "attribution_adds_up_to_profit": f"update simulation_daily set value = value * (1 + 1e-6) where {LAST}",
}


@pytest.fixture(scope="module", params=CAPITALS)
def simulated(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    """A random case of a capital, simulated and built."""
    case = random_case(SPENDS_ALL)
    with lake_tables.connect() as con:
        fill_from_simulation(con, case.panel, {"simulated": replace(case.rules, capital=request.param)})
        lake_tables.build_all(con)
        yield con


def test_money_of_any_size_passes_every_law(simulated: duckdb.DuckDBPyConnection) -> None:
    verdicts = audit(simulated, list(IDENTITIES.values()))
    assert [verdict.check for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parametrize("law", FAULTS)
def test_fault_of_a_millionth_of_the_money_breaks_its_law(simulated: duckdb.DuckDBPyConnection, law: str) -> None:
    [(capital,)] = simulated.sql("select capital from study").fetchall()
    simulated.execute("begin")
    simulated.execute(FAULTS[law].format(capital=capital))
    rows = simulated.execute(IDENTITIES[law].sql).fetchall()
    simulated.execute("rollback")
    assert rows
