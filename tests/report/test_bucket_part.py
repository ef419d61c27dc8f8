"""What the report says of satellites, in words."""

import pytest

from pipelines.report.buckets import lost_in


def row(bucket: str, regime: str, mean: float | None, episodes: int = 3) -> dict[str, object]:
    figures = {"mean_return": mean, "sessions": 120, "episodes": episodes}
    return {"book": "plan", "bucket": bucket, "regime": regime, **figures}


ROWS = [
    row("hunter", "bear", -0.081),
    row("hunter", "bull", 0.152),
    row("eddy", "bear", 0.02),
    row("once", "bear", -0.3, episodes=1),
    row("new", "bear", None),
]


def test_satellites_that_lost_in_the_present_regime_are_named():
    said = lost_in(ROWS, "bear")
    assert said.startswith("The regime of the last session is bear.")
    assert "plan, hunter (−8.1\u202f% a year, 120 sessions in 3 episodes)" in said
    assert not any(name in said for name in ("eddy", "once", "new"))


@pytest.mark.parametrize("regime", ["bull", "high_volatility", None])
def test_nothing_is_said_where_no_satellite_lost(regime):
    assert lost_in(ROWS, regime) == ""
