-- Whether a scenario beat the benchmark of the study, and how closely it followed it.
-- Grain: strategy, reserve.
-- Sources: simulation_returns, simulation_partition, benchmark_daily, study.
with
benchmark as (
    select
        session,
        -- Bought at the first close, as the assets are: nothing earned yet, and here without costs.
        case
            when session = min(session) over () and level is not null then 0 else simple_return
        end as simple_return
    from benchmark_daily
),

pairs as (
    select
        returns.strategy,
        returns.reserve,
        returns.simple_return,
        returns.excess_return,
        benchmark.simple_return as benchmark_return,
        returns.simple_return - benchmark.simple_return as active_return,
        benchmark.simple_return - returns.risk_free_return as benchmark_excess_return
    from simulation_returns as returns
    inner join simulation_partition as stored using (strategy, reserve)
    inner join benchmark using (session)
    -- The benchmark is that of today's prices.
    where stored.is_current and returns.simple_return is not null and benchmark.simple_return is not null
),

measured as (
    select
        pairs.strategy,
        pairs.reserve,
        study.benchmark,
        count(pairs.active_return) as sessions,
        product(1 + pairs.simple_return) - 1 as portfolio_return,
        product(1 + pairs.benchmark_return) - 1 as benchmark_return,
        beta(pairs.excess_return, pairs.benchmark_excess_return) as beta,
        jensens_alpha(pairs.excess_return, pairs.benchmark_excess_return, study.periods_per_year) as alpha,
        annualised_volatility(pairs.active_return, study.periods_per_year) as tracking_error,
        -- Active returns in place of excess returns make a Sharpe ratio an information ratio.
        sharpe(pairs.active_return, study.periods_per_year) as information_ratio,
        correlation(pairs.simple_return, pairs.benchmark_return) as correlation
    from pairs
    cross join study
    group by pairs.strategy, pairs.reserve, study.benchmark, study.periods_per_year
)

select
    strategy,
    reserve,
    benchmark,
    sessions,
    portfolio_return,
    benchmark_return,
    portfolio_return - benchmark_return as excess_over_benchmark,
    beta,
    alpha,
    tracking_error,
    information_ratio,
    correlation
from measured
order by strategy, reserve
