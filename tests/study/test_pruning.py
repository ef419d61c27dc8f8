"""Findings between fields are shown beside those of single fields, and none that follows from what was left out."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sd_core.errors import InputError
from sd_core.study.loading import load_study

SATELLITE = {"preset": "momentum_hunter", "tickers": ["AMD"], "target": 0.05}
PLAN = {"core": {"strategy": "sd8", "reserve": 0.1}, "budget": 0.1, "satellites": {"a": SATELLITE}}


def study(**keys: Any) -> dict[str, Any]:
    return {
        "name": "mine",
        "source": {"kind": "sample"},
        "start": "1990-01-02",
        "capital": 1_000,
        "risk_free": 0.03,
        "universe": {"KO": {"weight": 0.5, "asset_class": "staples"}, "XOM": {"weight": 0.5, "asset_class": "energy"}},
        "reserves": [0.0, 0.1],
        "strategies": {"hold": {}, "sd8": {"rule": {"sd_n": 8}}},
        "satellite_universe": {"AMD": {}},
        "buckets": {"four": PLAN},
        **keys,
    }


def refused(folder: Path, document: dict[str, Any]) -> list[str]:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(InputError) as refusal:
        load_study(file)
    return [line.removeprefix(f"{file}: ") for line in str(refusal.value).splitlines()]


def test_study_that_the_others_are_made_of_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(study()))
    assert load_study(file).buckets["four"].budget == 0.1


def test_findings_of_a_plan_as_a_whole_come_with_those_of_single_fields(tmp_path: Path) -> None:
    satellites = {"a": SATELLITE, "b": {**SATELLITE, "sliders": {"risk": "much"}}}
    plan = {"core": {"strategy": "sd9", "reserve": 0.2}, "budget": 0.1, "satellites": satellites}
    lines = refused(tmp_path, study(capital="1.000,00", buckets={"four": plan}))
    assert lines[0].startswith("capital: '1.000,00': expected a number")
    assert lines[1].startswith("buckets.four.satellites.b.sliders.risk: 'much': expected a number")
    assert lines[2] == "buckets.four.satellites.b.tickers: 'AMD': expected one bucket per ticker; a has it"
    # The core of a plan with such findings is looked at in the next pass.
    assert len(lines) == 3


def test_findings_between_parts_come_with_those_of_single_fields(tmp_path: Path) -> None:
    plan = {**PLAN, "core": {"strategy": "sd9", "reserve": 0.2}}
    lines = refused(tmp_path, study(costs={"bps": "few"}, end="1980-01-02", buckets={"four": plan}))
    assert [line.split(":")[0] for line in lines] == [
        "costs.bps",
        "end",
        "buckets.four.core.strategy",
        "buckets.four.core.reserve",
    ]


@pytest.mark.parametrize(
    "keys",
    [
        # What is left out would be missed: the strategy of the core, the target of a satellite, the price index, the
        # withdrawals that are judged, a ticker of satellites, an asset that a strategy holds.
        {"strategies": {"hold": {}, "sd8": {"rule": {"sd_n": 8}, "allocation": 5}}},
        {"strategies": {"hold": {}, "sd8": 8}},
        {"buckets": {"four": {**PLAN, "budget": 0.05, "satellites": {"a": {**SATELLITE, "target": "some"}}}}},
        {"price_index": 5, "withdrawals": {"amount": 10, "indexed": True}},
        {"withdrawals": {"amount": "ten"}, "judge_by": "withdrawals"},
        {"satellite_universe": {"AMD": {"lot_size": "one"}}},
        {"satellite_universe": {"AMD": 1}},
        {"universe": {"KO": {"weight": 1, "asset_class": "staples"}, "XOM": {"weight": "half"}}},
        {"universe": {"KO": {"weight": 1, "asset_class": "staples"}, "XOM": 1}},
        {"start": "soon", "deposits": {"on": {"1985-01-02": 5}}},
    ],
    ids=lambda keys: "-".join(keys),
)
def test_no_finding_follows_from_what_was_left_out(tmp_path: Path, keys: dict[str, Any]) -> None:
    assert len(refused(tmp_path, study(**keys))) == 1
