"""A ledger fed by a broker with all faults equals its account or is blocked: short for ``benchmarks.broker``."""

from pathlib import Path

import pytest

from benchmarks.broker import Account


@pytest.mark.parametrize("seed", range(3))
def test_books_equal_the_account_of_a_broker_with_all_faults(tmp_path: Path, seed: int) -> None:
    outcome = Account(seed, tmp_path).run(100)
    assert outcome.findings == []
    assert min(outcome.kinds["fill"], outcome.days["equal"]) >= 50
    assert min(outcome.kinds["reversal"], outcome.days["blocked"]) >= 5
