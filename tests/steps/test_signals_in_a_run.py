"""Signals in a whole run: computed, published, held to their laws, and outdated by what they depend on."""

import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from support.lab import Lab, small_study, write_study
from support.steps import refresh

from pipelines.lab.current import current_market
from pipelines.lab.home import SQL
from pipelines.steps.datasets import MIXES
from pipelines.steps.plan import plan_run
from pipelines.steps.signal_tables import BOOSTED_TREES, SIGNALS, signal_settings, signal_tables
from pipelines.warehouse.audit import read_identities

TICKERS = tuple(f"T{number}" for number in range(6))
CLASSES = dict(zip(TICKERS, ("iron", "iron", "coal", "coal", "salt", "salt"), strict=True))
ASKED = {
    "sectors": {"kind": "sector"},
    "momentum": {"kind": "momentum"},
    "reversal": {"kind": "reversal"},
    "spillover": {"kind": "spillover"},
    "own": {"kind": "file", "file": "own.csv"},
    "both": {"kind": "blend", "of": {"momentum": 0.5, "reversal": 0.5}},
}
STUDIED = {
    "rotation": {"window": 60, "select": {"signal": "sectors", "top": 2}},
    "sized": {"method": "proportional", "score": "momentum", "window": 60},
    "trees": {"method": "mean_risk", "objective": "max_utility", "expected": "boosted", "window": 60},
}
LAWS = {law.name: law.sql for law in read_identities(SQL / "audit") if law.table in ("signal", "forward_return")}


def write_signal_prices(folder: Path, sessions: int = 1160) -> Path:
    """Write the price files of six assets, the first of which leads the second, and return their folder."""
    folder.mkdir(parents=True)
    dates = pd.bdate_range("2019-01-01", periods=sessions, name="Date")
    moves = np.random.default_rng(8).normal(0.0002, 0.02, (sessions, len(TICKERS)))
    moves[5:, 1] = 0.3 * moves[5:, 1] + 0.6 * moves[:-5, 0]
    closes = np.round(100 * np.exp(np.cumsum(moves, axis=0)), 4)
    for asset, ticker in enumerate(TICKERS):
        bars = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close"), closes[:, asset]), index=dates)
        bars.to_csv(folder / f"{ticker}.csv")
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Run a study of six assets with six signals, on which three mixes act."""
    folder = tmp_path_factory.mktemp("signals")
    prices = write_signal_prices(folder / "prices")
    rows = [f"2021-{month:02d}-10,{ticker},{ord(ticker[1]) % month}" for month in range(2, 13) for ticker in TICKERS]
    (folder / "own.csv").write_text("\n".join(["Date,Ticker,Value", *rows, "2022-01-10,OTHER,5\n"]))
    study = {
        **small_study(prices),
        "start": "2019-01-01",
        "universe": {ticker: {"weight": 1, "asset_class": CLASSES[ticker]} for ticker in TICKERS},
        "reserves": [0.0],
        "signals": ASKED,
        "mixes": STUDIED,
        "strategies": {"buy_and_hold": {}, "held": {"allocation": {"mix": list(STUDIED)}}},
    }
    lab = Lab(write_study(folder / "small.yaml", study), folder / "home")
    refresh(lab.home)
    return lab


def test_run_publishes_what_signals_say_and_predicted(lab):
    report = lab.table("report_signal")
    assert list(report["signal"].unique()) == sorted([*ASKED, "boosted"])
    assert len(report) == (len(ASKED) + 1) * 5
    assert dict(report[["signal", "kind"]].to_numpy())["boosted"] == "boosted"
    assert (report["verdict"] == "cannot tell").any()
    assert dict(lab.table("study_signal")[["signal", "kind"]].to_numpy())["own"] == "file"
    signal = lab.table("signal")
    assert signal.groupby("signal")["z"].count().min() > 0
    assert set(lab.table("spillover_pair")["leader"]) >= {"T0"}
    # The value of a file is known from its date on, until the next one.
    own = signal[(signal["signal"] == "own") & (signal["ticker"] == "T1")].set_index("session")["value"]
    assert np.isnan(own[pd.Timestamp("2021-01-29")])
    assert own[pd.Timestamp("2021-02-26")] == ord("1") % 2
    assert own[pd.Timestamp("2022-06-30")] == ord("1") % 12


def test_sectors_are_rotated_to_the_one_with_the_most_momentum(lab):
    said = lab.table("signal").query("signal == 'sectors'").pivot(index="session", columns="ticker", values="value")
    weights = lab.table("mix_weight").query("mix == 'rotation'")
    held = weights.pivot(index="decided_session", columns="ticker", values="weight")
    fits = lab.table("mix_fit").query("mix == 'rotation'").set_index("decided_session")
    seen = set()
    for session in held.index[said.loc[held.index].notna().all(axis=1)]:
        best = CLASSES[said.loc[session].idxmax()]
        assert held.loc[session].to_dict() == {ticker: 0.5 * (CLASSES[ticker] == best) for ticker in TICKERS}
        seen.add(best)
        assert fits.loc[session, "status"] == "fitted"
    assert len(seen) >= 2
    # Traded from the next session on.
    targets = lab.table("strategy_target").query("strategy == 'held__rotation'")
    assert set(targets["session"]) <= {*fits["effective_session"], targets["session"].min()}
    assert len(set(targets["session"])) > 2


def test_weights_in_proportion_to_a_signal_follow_its_values(lab):
    said = lab.table("signal").query("signal == 'momentum'").pivot(index="session", columns="ticker", values="value")
    weights = lab.table("mix_weight").query("mix == 'sized'")
    held = weights.pivot(index="decided_session", columns="ticker", values="weight")
    sessions = held.index[said.loc[held.index].notna().all(axis=1)]
    assert len(sessions) > 24
    for session in sessions:
        positive = said.loc[session].clip(lower=0.0)
        expected = positive / positive.sum() if positive.any() else positive
        assert (held.loc[session] - expected).abs().max() <= 1.01e-4


def test_boosted_trees_lead_a_mix_once_there_is_enough_to_learn_from(lab):
    expected = lab.table("boosted_return")
    fits = lab.table("mix_fit").query("mix == 'trees'").set_index("decided_session")
    assert expected["fitted_session"].dt.year.unique().tolist() == [2022, 2023]
    asked = fits.loc[expected["session"].unique()]
    assert (asked["status"] == "fitted").all()
    signal = lab.table("signal").query("signal == 'boosted'").set_index(["session", "ticker"])["value"]
    assert signal.to_dict() == expected.set_index(["session", "ticker"])["value"].to_dict()


def test_tables_in_memory_are_those_published(lab):
    home = lab.home
    with home.lake.shared():
        market = current_market(home.study, home.lake)
        found = signal_tables(home.study, home.lake, market, ["both", "own", "boosted"])
    with duckdb.connect(str(lab.published), read_only=True) as connection:
        for name, table in found.items():
            published = connection.sql(f"from {name} where signal in ('both', 'own', 'boosted')").to_arrow_table()
            # To the last bit.
            assert table.equals(published), name


def test_signals_depend_on_their_parts_and_files_alone(lab, tmp_path):
    study = lab.home.study
    assert set(signal_settings(study, ["both"])["signals"]) == {"both", "momentum", "reversal"}
    assert set(signal_settings(study, ["boosted"])["signals"]) == set(ASKED)
    moved = Path(shutil.copy(study.signals["own"].file, tmp_path / "own.csv"))
    changed = study.model_copy(
        update={"signals": {**study.signals, "own": study.signals["own"].model_copy(update={"file": str(moved)})}}
    )
    assert signal_settings(changed, ["own"]) == signal_settings(study, ["own"])
    moved.write_text(moved.read_text() + "2022-02-10,T1,4\n")
    assert signal_settings(changed, ["own"]) != signal_settings(study, ["own"])
    assert signal_settings(changed, ["both"]) == signal_settings(study, ["both"])


def test_nothing_is_outdated_after_a_run_until_a_file_changes(lab, tmp_path):
    assert plan_run(lab.home).is_empty
    copy = lab.copy_to(tmp_path / "home")
    file = Path(lab.home.study.signals["own"].file)
    before = file.read_text()
    try:
        file.write_text(before + "2022-02-10,T1,4\n")
        study, lake = copy.home.study, copy.home.lake
        market = current_market(study, lake)
        # Of the mixes, the one that asks trees, which ask every signal.
        assert [one.name for one in (SIGNALS, BOOSTED_TREES, MIXES) if one.outdated(study, lake, market)] == [
            "signals",
            "boosted",
            "mixes",
        ]
        assert MIXES.outdated(study, lake, market) == ["trees"]
    finally:
        file.write_text(before)


def test_study_without_files_or_spillovers_keeps_nothing_in_the_lake(lab):
    study = lab.home.study.model_copy(update={"signals": {"momentum": lab.home.study.signals["momentum"]}})
    assert SIGNALS.parts(study, lab.home.lake) == {}


LAST = "session = (select max(session) from signal where z is not null)"
ONE = f"{LAST} and signal = 'momentum' and ticker = 'T2'"


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("signals_are_of_decisions", f"delete from signal where {ONE}"),
        ("signals_are_of_decisions", f"update signal set session = session - 1 where {LAST}"),
        ("signal_places_follow_values", f"update signal set percentile = percentile / 2 where {ONE}"),
        ("signal_places_follow_values", f"update signal set z = z + 0.01 where {ONE}"),
        ("signal_places_follow_values", f"update signal set z = null where {ONE}"),
        ("signal_places_follow_values", f"update signal_input set is_investable = false where {LAST}"),
        ("blends_are_their_parts", f"update signal set value = value + 0.01 where {LAST} and signal = 'both'"),
        ("blends_are_their_parts", f"update signal_weight set weight = 0.6 where {LAST} and part = 'momentum'"),
        (
            "forward_returns_begin_after_decisions",
            "update forward_return set ended_session = ended_session - 1 where horizon = 21",
        ),
    ],
)
def test_law_notices_what_breaks_it(lab, tmp_path, law, change):
    with duckdb.connect(str(shutil.copy(lab.published, tmp_path / "broken.duckdb"))) as connection:
        assert connection.execute(LAWS[law]).fetchall() == []
        connection.execute(change)
        assert connection.execute(LAWS[law]).fetchall()


def test_law_notices_returns_that_begin_at_the_decision(lab, tmp_path):
    with duckdb.connect(str(shutil.copy(lab.published, tmp_path / "broken.duckdb"))) as connection:
        connection.execute("""
            update forward_return
            set simple_return = exp(ended.log_level - bought.log_level) - 1
            from asset_level as bought, asset_level as ended
            where bought.session = forward_return.session and bought.ticker = forward_return.ticker
                and ended.number = bought.number + forward_return.horizon and ended.ticker = bought.ticker
                and forward_return.simple_return is not null
        """)
        assert connection.execute(LAWS["forward_returns_begin_after_decisions"]).fetchall()
