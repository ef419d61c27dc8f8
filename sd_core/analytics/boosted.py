"""What boosted trees expect of assets, fitted to what signals said and what followed.

Nothing is tuned: 100 trees of depth 3, no early stopping, and the other settings as scikit-learn has them. The same
bytes come of any number of threads.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sd_core.market.arrays import Dates, Floats
from sd_core.schemas.signals import BOOSTED_RETURN

TREES, DEPTH, SEED = 100, 3, 0
# As many decisions must have ended before the trees are fitted at all.
LEAST_DECISIONS = 24
JANUARY = 1


class Panel(NamedTuple):
    """What signals said at decisions, and what followed.

    Attributes:
        sessions: of the decisions, ascending.
        tickers: of the assets.
        features: z of every signal, NaN where it has none, shape (decisions, assets, signals).
        labels: return in excess of cash over the horizon, NaN where none is known, shape (decisions, assets).
        ended: session whose close ends the horizon, NaT while that is to come, shape (decisions,).
    """

    sessions: Dates
    tickers: tuple[str, ...]
    features: Floats
    labels: Floats
    ended: Dates


class Known(NamedTuple):
    """What was expected before of a year's assets, and of what."""

    fit_hash: str
    values: Floats


def boosted_returns(panel: Panel, versions: str, before: Mapping[np.datetime64, Known] | None = None) -> pa.Table:
    """Return what is expected of every asset at every decision, as rows of ``boosted_return``.

    The trees are fitted at each decision of a January to all assets of the decisions whose horizon has ended by then,
    and asked until the next one. An asset without any z is expected nothing of.

    Args:
        panel: what is known.
        versions: of what computes, part of every hash.
        before: what was expected earlier, by the session of the fit; it is taken over where its hash is the same.
    """
    rows: list[dict[str, object]] = []
    starts = np.flatnonzero((panel.sessions.astype("datetime64[M]").astype(int) % 12 + 1) == JANUARY)
    for start, end in zip(starts, [*starts[1:], len(panel.sessions)], strict=True):
        ended = (panel.ended <= panel.sessions[start])[:, None] & ~np.isnan(panel.labels)
        # Trees cannot split by a signal that has said nothing so far, or the same of every asset.
        features = panel.features[:, :, _differing(panel.features[ended])]
        asked = features[start:end]
        has_any = ~np.isnan(asked).all(axis=2)
        known = ended & ~np.isnan(features).all(axis=2)
        if known.any(axis=1).sum() < LEAST_DECISIONS or not has_any.any():
            continue
        taught, labels = features[known], panel.labels[known]
        fit_hash = _hash(versions, taught, labels, asked)
        found = (before or {}).get(panel.sessions[start])
        values = (
            found.values
            if found is not None and found.fit_hash == fit_hash
            else _expected(taught, labels, asked[has_any])
        )
        for (at, asset), value in zip(np.argwhere(has_any).tolist(), values.tolist(), strict=True):
            rows.append(
                {
                    "session": panel.sessions[start + at].item(),
                    "ticker": panel.tickers[asset],
                    "value": value,
                    "fitted_session": panel.sessions[start].item(),
                    "rows": len(labels),
                    "fit_hash": fit_hash,
                }
            )
    return pa.Table.from_pylist(rows, BOOSTED_RETURN.arrow_schema)


def known_returns(table: pa.Table) -> dict[np.datetime64, Known]:
    """Return what rows of ``boosted_return`` hold, by the session of the fit."""
    found: dict[np.datetime64, Known] = {}
    fitted = table["fitted_session"].to_numpy().astype("datetime64[D]")
    for session in np.unique(fitted):
        of_fit = table.filter(pa.array(fitted == session))
        found[session] = Known(of_fit["fit_hash"][0].as_py(), of_fit["value"].to_numpy())
    return found


def _differing(features: Floats) -> npt.NDArray[np.bool_]:
    """Return whether each column of some rows has two different values, shape (columns,)."""
    least = np.where(np.isnan(features), np.inf, features).min(axis=0, initial=np.inf)
    most = np.where(np.isnan(features), -np.inf, features).max(axis=0, initial=-np.inf)
    return np.asarray(least < most)


def _expected(taught: Floats, labels: Floats, asked: Floats) -> Floats:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    trees = HistGradientBoostingRegressor(max_iter=TREES, max_depth=DEPTH, random_state=SEED, early_stopping=False)
    # Several threads wait for each other longer than such small trees take, fifty times as long on a busy machine.
    with threadpool_limits(1):
        return np.asarray(trees.fit(taught, labels).predict(asked))


def _hash(versions: str, *arrays: npt.NDArray[np.float64]) -> str:
    parts = hashlib.sha256(versions.encode())
    for array in arrays:
        parts.update(str(array.shape).encode())
        parts.update(np.ascontiguousarray(array).tobytes())
    return parts.hexdigest()[:16]
