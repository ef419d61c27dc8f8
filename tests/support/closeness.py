"""Comparisons of arrays, fast where nothing differs: random cases make hundreds of thousands of them."""

from typing import Any

import numpy as np


def assert_close(
    found: np.ndarray, expected: np.ndarray, *, rtol: float = 0.0, atol: Any = 0.0, err_msg: str = ""
) -> None:
    """Assert what ``np.testing.assert_allclose`` asserts, which takes eight times as long and words the difference."""
    if found.shape == expected.shape:
        with np.errstate(invalid="ignore"):
            close = np.abs(found - expected) <= atol + rtol * np.abs(expected)
        if (close | ((found != found) & (expected != expected))).all():
            return
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, err_msg=err_msg)
