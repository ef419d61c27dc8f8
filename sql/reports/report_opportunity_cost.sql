-- Profit of the money in every asset, and of cash off its target, beside what the benchmark would have earned on it.
-- Grain: strategy, reserve, ticker.
-- Sources: attribution_asset, simulation_returns, benchmark_daily.
with
-- The reserve is free of cost: what it earned as cash, and would have earned in the benchmark, is left out.
reserves as (
    select
        returns.strategy,
        returns.reserve,
        date_trunc('month', returns.session)::date as month,
        cash() as ticker,
        sum(returns.reserve * returns.opening_value * returns.risk_free_return) as profit,
        sum(returns.reserve * returns.opening_value * benchmark_daily.simple_return) as benchmark_profit
    from simulation_returns as returns
    inner join benchmark_daily using (session)
    group by returns.strategy, returns.reserve, date_trunc('month', returns.session)::date
),

months as (
    select
        attribution.strategy,
        attribution.reserve,
        attribution.ticker,
        attribution.profit - coalesce(reserves.profit, 0) as profit,
        attribution.benchmark_profit - coalesce(reserves.benchmark_profit, 0) as benchmark_profit
    from attribution_asset as attribution
    left join reserves using (strategy, reserve, month, ticker)
),

sums as (
    select
        strategy,
        reserve,
        ticker,
        count(benchmark_profit) as months,
        sum(profit) filter (where benchmark_profit is not null) as profit,
        sum(benchmark_profit) as benchmark_profit
    from months
    group by strategy, reserve, ticker
)

select
    strategy,
    reserve,
    ticker,
    months,
    profit,
    benchmark_profit,
    benchmark_profit - profit as opportunity_cost
from sums
order by strategy, reserve, ticker
