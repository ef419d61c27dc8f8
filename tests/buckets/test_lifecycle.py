"""What may be done to a bucket, and what a refusal says."""

import itertools

import pytest

from sd_core.buckets.lifecycle import Action, Bucket, Facts, status_after_action, unmet, unmet_at_creation
from sd_core.errors import InputError
from sd_core.schemas.kinds import Status

# What each action needs beyond a status and a person.
ENOUGH = {
    Action.START: Facts(paper_sessions=63),
    Action.ABANDON: Facts(),
    Action.PAUSE: Facts(),
    Action.RESUME: Facts(),
    Action.RETIRE: Facts(),
    Action.BOOST: Facts(days=7),
}
# The table of the life of a satellite.
ALLOWED = {
    (Status.RESEARCH, Action.START): Status.ACCUMULATING,
    (Status.RESEARCH, Action.ABANDON): Status.RETIRED,
    (Status.ACCUMULATING, Action.PAUSE): Status.PAUSED,
    (Status.ACTIVE, Action.PAUSE): Status.PAUSED,
    (Status.HIBERNATING, Action.PAUSE): Status.PAUSED,
    (Status.PAUSED, Action.RESUME): Status.HIBERNATING,
    (Status.PAUSED, Action.RETIRE): Status.RETIRED,
    (Status.ACTIVE, Action.BOOST): Status.ACTIVE,
}


def hunter(status):
    return Bucket("hunter", status, "2026-03-02", Status.HIBERNATING if status == Status.PAUSED else None)


@pytest.mark.parametrize(("status", "action"), list(itertools.product(Status, Action)))
def test_each_status_allows_the_actions_of_the_table(status, action):
    if (status, action) in ALLOWED:
        assert status_after_action(action, hunter(status), ENOUGH[action]) == ALLOWED[status, action]
    else:
        with pytest.raises(InputError, match="hunter: "):
            status_after_action(action, hunter(status), ENOUGH[action])


@pytest.mark.parametrize("action", Action)
def test_a_retired_bucket_and_the_core_refuse_everything_in_one_line(action):
    assert unmet(action, hunter(Status.RETIRED), Facts(actor="rule")) == [
        "hunter: retired on 2026-03-02: expected a bucket in use"
    ]
    core = Bucket("core", Status.ACTIVE, "2020-01-02")
    assert unmet(action, core, ENOUGH[action]) == ["core: expected a satellite; `halt` stops the account"]


@pytest.mark.parametrize("action", Action)
def test_no_rule_changes_what_a_person_decides(action):
    (status, _) = next(one for one in ALLOWED if one[1] == action)
    facts = Facts(**vars(ENOUGH[action]) | {"actor": "rule"})
    assert unmet(action, hunter(status), facts) == [f"hunter: {action.value} by a rule: expected a person"]


def test_a_wrong_status_is_named_with_those_expected():
    assert unmet(Action.PAUSE, hunter(Status.RESEARCH), Facts()) == [
        "hunter: research since 2026-03-02: expected accumulating, active or hibernating"
    ]


def test_a_start_names_everything_that_is_unmet():
    facts = Facts(paper_sessions=62, outside_rails=["targets: 0.35 together: expected at most the budget, 0.3"])
    assert unmet(Action.START, hunter(Status.ACTIVE), facts) == [
        "hunter: active since 2026-03-02: expected research",
        "targets: 0.35 together: expected at most the budget, 0.3",
        "hunter: 62 sessions on paper: expected at least 63, or a reason to start early",
    ]


def test_a_reason_starts_a_satellite_early():
    facts = Facts(paper_sessions=3, reason="as agreed")
    assert status_after_action(Action.START, hunter(Status.RESEARCH), facts) == Status.ACCUMULATING


def test_a_retirement_names_all_that_is_left():
    facts = Facts(
        orders=["a1"], fills=["f7"], positions=["10 AAPL"], cash=["12.00 USD", "-3.00 EUR"], activities=["d9"]
    )
    assert unmet(Action.RETIRE, hunter(Status.PAUSED), facts) == [
        "hunter: order a1 is open: expected none",
        "hunter: fill f7 is not settled: expected none",
        "hunter: 10 AAPL: expected no position",
        "hunter: 12.00 USD: expected no cash",
        "hunter: -3.00 EUR: expected no cash",
        "hunter: activity d9 is held: expected none",
    ]


@pytest.mark.parametrize(("days", "is_refused"), [(6, True), (7, False), (8, True), (30, False)])
def test_a_boost_lasts_a_week_or_a_month(days, is_refused):
    expected = [f"hunter: a boost of {days} days: expected 7 or 30"] if is_refused else []
    assert unmet(Action.BOOST, hunter(Status.ACTIVE), Facts(days=days)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("hunter", "custom", [], ["AAPL"], {"MSFT": "core"}), []),
        (("Hunter", "custom", [], ["AAPL"], {}), ["Hunter: expected a name of small letters"]),
        (("a" * 41, "custom", [], ["AAPL"], {}), [f"{'a' * 41}: expected a name of small letters"]),
        (("hunter", "custom", ["hunter"], ["AAPL"], {}), ["hunter: expected a name that is free"]),
        (("core", "custom", [], ["AAPL"], {}), ["core: expected a name that is free"]),
        (("outside", "custom", [], ["AAPL"], {}), ["outside: expected a name that is free"]),
        (("hunter", "dip_bayer", [], ["AAPL"], {}), ["hunter: preset dip_bayer: expected one of momentum_hunter, "]),
        (("hunter", "custom", [], [], {}), ["hunter: no instrument: expected at least one that is free"]),
        (
            ("core", "none", [], ["AAPL", "MSFT"], {"AAPL": "dips"}),
            [
                "core: expected a name that is free",
                "core: preset none: expected one of ",
                "core: AAPL belongs to dips: expected an instrument that is free",
            ],
        ),
    ],
)
def test_a_new_satellite_names_everything_that_is_unmet(given, expected):
    found = unmet_at_creation(*given)
    assert len(found) == len(expected)
    assert all(line.startswith(beginning) for line, beginning in zip(found, expected, strict=True))
