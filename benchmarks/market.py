"""The seeded market that the benchmarks share: geometric walks with open, high and low, and the rules run on them."""

import numpy as np

from sd_core.market.panel import Panel
from sd_core.simulation.rules import Coordination, Rules

DAILY_VOLATILITY = 0.015
SEED = 20_220_103
FIRST_SESSION = np.datetime64("2000-01-03")


def walks(sessions: int, assets: int) -> Panel:
    """Return geometric walks of 1.5 % daily volatility: a third of the variance overnight, the rest in four steps a day."""
    random = np.random.default_rng(SEED)
    overnight = random.normal(0.0, DAILY_VOLATILITY * np.sqrt(1 / 3), (sessions, assets))
    steps = random.normal(0.0, DAILY_VOLATILITY * np.sqrt(2 / 3 / 4), (sessions, 4, assets))
    day = np.cumsum(steps, axis=1)
    closes = np.cumsum(overnight + day[:, -1], axis=0)
    opens = closes - day[:, -1]
    path = np.concatenate([opens[:, None], opens[:, None] + day], axis=1)
    return Panel(
        tickers=tuple(f"A{number:03d}" for number in range(assets)),
        sessions=FIRST_SESSION + np.arange(sessions),
        open=100 * np.exp(opens),
        high=100 * np.exp(path.max(axis=1)),
        low=100 * np.exp(path.min(axis=1)),
        close=100 * np.exp(closes),
        dividends=np.zeros((sessions, assets)),
        rates=np.full(sessions, 0.03),
    )


def scenarios(count: int, assets: int, coordination: Coordination) -> list[Rules]:
    """Return sd8 at a profit share of one half, at ``count`` reserves from 0 to 30 %."""
    return [
        Rules(
            capital=1_000_000.0,
            reserve=float(reserve),
            weights=np.full(assets, 1 / assets),
            brackets=np.full(assets, 2 ** (1 / 8) - 1),
            profit_shares=np.full(assets, 0.5),
            lot_sizes=np.zeros(assets),
            coordination=coordination,
        )
        for reserve in np.linspace(0.0, 0.3, count)
    ]
