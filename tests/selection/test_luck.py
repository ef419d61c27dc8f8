"""What the benchmark of luck counts: noise is not distinguished, and what knows the month to come is."""

from benchmarks.luck import judgements


def test_best_of_noise_is_not_distinguished_and_a_planted_winner_is() -> None:
    noise, planted = judgements(1, 0.0), judgements(1, 0.3)
    assert [one.is_distinguished for one in noise.values()] == [False, False]
    assert [one.is_distinguished for one in planted.values()] == [True, True]
    assert {one.best for one in planted.values()} == {24}
