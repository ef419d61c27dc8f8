-- What became of every scenario in each resampled history of the market; empty until histories were drawn.
-- Grain: strategy, reserve, history.
-- Sources: lake.reserve_bootstrap.
select
    strategy,
    reserve,
    history,
    final_value,
    twr,
    xirr,
    sharpe,
    sortino,
    max_drawdown,
    income_per_year,
    income_volatility,
    months_without_income,
    withdrawals,
    coverage_gross,
    coverage_net,
    skipped_buys,
    mean_cash_share,
    low_cash_share,
    block_length
from lake.reserve_bootstrap
order by strategy, reserve, history
