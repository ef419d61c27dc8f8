"""A study with one of its strategies changed."""

import pytest
from support.lab import PROJECT

from sd_core.errors import InputError
from sd_core.study.loading import load_study
from sd_core.study.variation import vary

STUDIES = sorted((PROJECT / "studies").glob("*.yaml"))


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_without_a_change_every_strategy_is_as_the_study_says_without_plans(file) -> None:
    study = load_study(file)
    for name, strategy in study.strategies.items():
        varied = vary(study, name, {})
        assert varied.strategies == {name: strategy}
        assert not varied.buckets
        left_out = {"strategies", "buckets", "satellite_universe"}
        assert varied.model_dump(exclude=left_out) == study.model_dump(exclude=left_out)


def test_of_a_part_the_keys_given_replace_and_the_others_stay() -> None:
    study = load_study(PROJECT / "studies" / "demo.yaml")
    rule = study.strategies["sd4"].rule
    varied = vary(study, "sd4", {"rule": {"profit_share": 0.25}, "drift": 0.5}).strategies["sd4"]
    assert rule is not None
    assert varied.rule == rule.model_copy(update={"profit_share": 0.25})
    assert varied.drift == 0.5


def test_none_takes_a_part_away() -> None:
    study = load_study(PROJECT / "studies" / "demo.yaml")
    assert vary(study, "sd4", {"rule": None}).strategies["sd4"].is_buy_and_hold


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"rul": {}}, "strategies.sd8.rul: unknown key: expected one of allocation, rule, "),
        ({"rule": {"sdn": 3}}, "strategies.sd8.rule.sdn: unknown key: expected one of sd_n, "),
        ({"rule": {"sd_n": [4, 8]}}, "strategies.sd8.rule.sd_n: [4, 8]: expected a number"),
        ({"allocation": {"weights": {"XXXX": 1}}}, "strategies.sd8.allocation.weights: 'XXXX': expected a ticker of"),
    ],
)
def test_what_a_study_may_not_say_is_refused_in_the_same_words(changes, refusal: str) -> None:
    study = load_study(PROJECT / "studies" / "demo.yaml")
    with pytest.raises(InputError) as caught:
        vary(study, "sd8", changes)
    assert str(caught.value).startswith(refusal)
