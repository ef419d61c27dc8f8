"""What assets do on a session on which one of them falls: skfolio's vine copula.

Importing this imports skfolio, which takes long.
"""

import numpy as np
import pandas as pd
from skfolio.distribution import VineCopula

from sd_core.market.arrays import Floats

SAMPLES = 10_000
SEED = 0
# Assets of a vine.
FEWEST = 3


def returns_given_fall(returns: Floats, fallen: int, fall: float) -> Floats:
    """Sample what assets return on a session, given what one of them returns.

    Marginal distributions and pair copulas are those that fit best by Akaike's criterion; the asset that falls is the
    centre of the vine, as conditional sampling needs it.

    Args:
        returns: by session, shape (rows, assets), two assets at least.
        fallen: position of the asset that falls.
        fall: its return, a fraction.

    Returns:
        Shape (samples, assets); the same returns give the same samples.
    """
    count = returns.shape[1]
    if count == FEWEST - 1:
        # The vine takes no pair: a third that depends on neither changes nothing about the two.
        noise = np.random.default_rng(SEED).normal(0.0, returns.std(), len(returns))
        returns = np.column_stack([returns, noise])
    # The vine knows its centre by name.
    frame = pd.DataFrame(returns, columns=[f"a{place}" for place in range(returns.shape[1])])
    centre = frame.columns[fallen]
    vine = VineCopula(central_assets=[centre], random_state=SEED, n_jobs=1).fit(frame)
    return np.asarray(vine.sample(n_samples=SAMPLES, conditioning={centre: fall}))[:, :count]
