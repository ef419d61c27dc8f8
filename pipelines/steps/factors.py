"""Explain the returns of every scenario by the study's factors.

How a file of factors is read belongs in ``sd_core.market``, the regression in ``sd_core.analytics``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.lab.current import up_to_date_scenarios
from pipelines.warehouse.reduction import metrics_version
from sd_core.analytics.factors import MONTHS_PER_YEAR, Explained, Rows, explain, rows_of
from sd_core.lake import Lake, Version
from sd_core.market.arrays import Dates, Floats
from sd_core.market.factors import FactorReturns, read_factors
from sd_core.market.panel import periods_per_year
from sd_core.market.sessions import session_after
from sd_core.metrics.returns import session_returns
from sd_core.schemas.factors import FACTOR_EXPOSURE, FACTOR_FIT, FACTOR_RETURN
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

if TYPE_CHECKING:
    from pipelines.steps.derived import Tables


def explain_scenarios(study: Study, lake: Lake, market: Version) -> "Tables":
    """Return what factors explain of every current scenario that keeps its days, and their returns meanwhile."""
    assert study.factors is not None  # else there is no part to compute
    factors = read_factors(study.factors)
    sessions = market.read("sessions")["session"].to_numpy().astype("datetime64[D]")
    rates = market.read("rates").sort_by("session")["risk_free_return"].to_numpy()
    cash = np.cumprod(1.0 + rates)
    following = session_after(study.sessions, sessions)
    ended = following is not None and following.month != sessions[-1].item().month
    rows = rows_of(factors, sessions, ended)
    periods = MONTHS_PER_YEAR if factors.frequency == "monthly" else periods_per_year(sessions)
    fits: list[dict[str, Any]] = []
    exposures: list[dict[str, Any]] = []
    for scenario, version in _with_days(study, lake, market):
        found = explain(rows, _growth(version, study.capital), cash)
        fits.append(_fit_row(scenario, factors, rows, sessions, found, periods))
        exposures += _exposure_rows(scenario, factors, found, periods)
    return {
        FACTOR_RETURN.name: _returns(factors, sessions),
        FACTOR_FIT.name: pa.Table.from_pylist(fits, FACTOR_FIT.arrow_schema),
        FACTOR_EXPOSURE.name: pa.Table.from_pylist(exposures, FACTOR_EXPOSURE.arrow_schema),
    }


def _with_days(study: Study, lake: Lake, market: Version) -> Iterator[tuple[Scenario, Version]]:
    held = up_to_date_scenarios(study, lake, market, metrics_version)
    return ((scenario, version) for scenario, version in held.items() if "daily" in version.rows)


def _growth(version: Version, capital: float) -> Floats:
    """Return what 1 has grown to in a scenario, by session."""
    stored = version.read("daily")
    names = ("value", "deposits", "withdrawals")
    daily = np.empty(stored.num_rows, [(name, np.float64) for name in names])
    for name in names:
        daily[name] = stored[name].to_numpy()
    return np.asarray(np.cumprod(np.maximum(1.0 + np.nan_to_num(session_returns(daily, capital)), 0.0)))


def _fit_row(
    scenario: Scenario, factors: FactorReturns, rows: Rows, sessions: Dates, found: Explained, periods: float
) -> dict[str, Any]:
    ends = (sessions[rows.first[0]].item(), sessions[rows.last[-1]].item()) if found.rows else (None, None)
    row = {
        **scenario._asdict(),
        "frequency": factors.frequency,
        "first_session": ends[0],
        "last_session": ends[1],
        "observations": found.rows,
        "missing": found.missing,
    }
    if (fit := found.regression) is None:
        return row
    alpha, margin = fit.coefficients[0] * periods, fit.margins[0] * periods
    return row | _known(
        {
            "lag": fit.lag,
            "alpha": alpha,
            "alpha_low": alpha - margin,
            "alpha_high": alpha + margin,
            "alpha_t": fit.t[0],
            "p_value": fit.p_values[0],
            "r_squared": fit.r_squared,
            "residual_volatility": fit.residual_deviation * np.sqrt(periods),
            "mean_excess_return": found.mean_excess * periods,
        }
    )


def _exposure_rows(
    scenario: Scenario, factors: FactorReturns, found: Explained, periods: float
) -> Iterator[dict[str, Any]]:
    for place, name in enumerate(factors.names):
        row = {**scenario._asdict(), "factor": name}
        if (fit := found.regression) is None:
            yield row
            continue
        beta, margin, mean = fit.coefficients[place + 1], fit.margins[place + 1], found.factor_means[place] * periods
        yield row | _known(
            {
                "beta": beta,
                "beta_low": beta - margin,
                "beta_high": beta + margin,
                "beta_t": fit.t[place + 1],
                "factor_mean": mean,
                "contribution": beta * mean,
            }
        )


def _known(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return numbers as Arrow takes them; None for what is not finite, such as a t of an error of 0."""
    return {name: number if np.isfinite(number) else None for name, number in numbers.items()}


def _returns(factors: FactorReturns, sessions: Dates) -> pa.Table:
    """Return the factors from the month before the first session to the last one."""
    first = (sessions[0].astype("datetime64[M]") - 1).astype("datetime64[D]")
    inside = np.flatnonzero((factors.dates >= first) & (factors.dates <= sessions[-1]))
    count = len(factors.names)
    columns = [
        pa.array(np.repeat(factors.dates[inside], count), pa.date32()),
        pa.array(list(factors.names) * len(inside), pa.string()),
        pa.array([factors.frequency] * (count * len(inside)), pa.string()),
        pa.array(factors.returns[inside].ravel(), pa.float64(), from_pandas=True),
    ]
    return pa.table(columns, schema=FACTOR_RETURN.arrow_schema)
