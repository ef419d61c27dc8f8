"""The steps of a run, one after the other and without Dagster: what ``sdlab run`` makes, in a fraction of its time.

That both make the same is tested in ``tests/steps/test_plan.py``. What a run says and how it ends belongs to tests of
the commands.
"""

from collections.abc import Iterable

from pipelines.lab.current import current_market, is_prepared, outdated_tickers
from pipelines.lab.home import SQL, StudyHome
from pipelines.steps.datasets import DERIVED, MIXES, REFRESHED, RESERVE_BOOTSTRAP
from pipelines.steps.derived import Derived, make_all
from pipelines.steps.fetch import fetch_prices
from pipelines.steps.plan import is_warehouse_current, outdated_scenarios
from pipelines.steps.prepare import prepare_market
from pipelines.steps.rebuild import Rebuild, rebuild
from pipelines.steps.signal_tables import BOOSTED_TREES, SIGNALS
from pipelines.steps.stored import NOTHING, WHOLE, Promised, simulate_all
from pipelines.warehouse.audit import Identity, read_identities
from pipelines.warehouse.models import own_models
from sd_core.study.scenario import Scenario

# What is made before the simulations, one after the other.
IN_TURN = (SIGNALS, BOOSTED_TREES, MIXES)


def refresh(home: StudyHome, *, fresh: bool = False) -> None:
    """Compute what is outdated of a study, or all of it, and publish; bootstrap samples are left as they are."""
    store(home, fresh=fresh)
    if fresh or not is_warehouse_current(home):
        publish(home, WHOLE)


def store(home: StudyHome, *, fresh: bool = False) -> None:
    """Compute what is outdated of a study, or all of it, and publish nothing: something else is to follow."""
    prepare(home, fresh=fresh)
    study, lake = home.study, home.lake
    for one in IN_TURN:
        make(home, [one], fresh=fresh)
    simulate(home, study.scenarios if fresh else outdated_scenarios(study, lake))
    fit(home, fresh=fresh)


def prepare(home: StudyHome, *, fresh: bool = False) -> None:
    """Fetch the prices of which the source may have others, or all, and prepare the market where it is outdated."""
    study, lake = home.study, home.lake
    if tickers := study.fetched_tickers if fresh else outdated_tickers(study, lake):
        fetch_prices(study, lake, tickers)
    if fresh or not is_prepared(study, lake):
        prepare_market(study, lake, home.study_file)


def simulate(home: StudyHome, scenarios: Iterable[Scenario]) -> None:
    """Simulate scenarios into the lake; raise the error of the first that cannot be stored."""
    simulate_all(home.study, home.lake, frozenset(scenarios))


def simulate_part(home: StudyHome, strategy: str | None = None, reserve: float | None = None) -> None:
    """Simulate a strategy, or a reserve, or a strategy at a reserve, outdated or not; then fit and publish."""
    simulate(
        home,
        [
            scenario
            for scenario in home.study.scenarios
            if strategy in {None, scenario.strategy} and reserve in {None, scenario.reserve}
        ],
    )
    fit(home)
    publish(home)


def fit(home: StudyHome, *, fresh: bool = False) -> None:
    """Make the derived datasets that are outdated, or all that a refresh makes, but those before the simulations."""
    make(home, [one for one in REFRESHED if one not in IN_TURN], fresh=fresh)


def make(home: StudyHome, datasets: Iterable[Derived], *, fresh: bool = False) -> None:
    """Make what is outdated of some derived datasets, or all of them."""
    study, lake = home.study, home.lake
    market = current_market(study, lake)
    keys = {one: list(one.parts(study, lake)) if fresh else one.outdated(study, lake, market) for one in datasets}
    if asked := [(one, parts) for one, parts in keys.items() if parts]:
        list(make_all(asked, study, lake))


def resample(home: StudyHome) -> None:
    """Simulate the bootstrap samples of the reserve question, and publish."""
    RESERVE_BOOTSTRAP.make(home.study, home.lake)
    publish(home)


def publish(home: StudyHome, promised: Promised = NOTHING) -> Rebuild:
    """Rebuild, audit and publish; every check must pass."""
    made = rebuilt(home, promised=promised)
    assert made.sound, [verdict for verdict in made.verdicts if not verdict.passed]
    return made


def rebuilt(home: StudyHome, *laws: Identity, promised: Promised = NOTHING) -> Rebuild:
    """Rebuild, audit by some laws beside the audit's own, and publish what is sound."""
    identities = [*read_identities(SQL / "audit"), *laws]
    return rebuild(home.study, home.lake, home.published, own_models(), identities, DERIVED, promised=promised)
