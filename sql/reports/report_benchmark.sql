-- Whether a scenario beat the benchmark of the study, and how closely it followed it.
-- Grain: strategy, reserve.
-- Sources: simulation_returns, simulation_partition, benchmark_daily, study.
with
days as (
    select
        strategy,
        reserve,
        session,
        simple_return,
        twr_index,
        sum(risk_free_return) over (partition by strategy, reserve order by session) as risk_free_sum
    from simulation_returns
),

-- The sessions on which the benchmark has a close; what happened between two of them is one return of each.
common as (
    select
        days.strategy,
        days.reserve,
        days.session,
        days.simple_return,
        days.twr_index,
        days.risk_free_sum,
        benchmark.level,
        -- Both begin with 1 where the benchmark has a close of the study's first session: bought at it, without costs.
        case when days.session = (select min(session) from benchmark_daily) then 1 end as start
    from days
    inner join simulation_partition as stored using (strategy, reserve)
    inner join benchmark_daily as benchmark using (session)
    -- The benchmark is that of today's prices.
    where stored.is_current and benchmark.has_close
),

steps as (
    select
        common.strategy,
        common.reserve,
        common.session,
        coalesce(lag(common.session) over sessions, common.session) as previous_session,
        common.simple_return,
        common.twr_index / nullif(lag(common.twr_index, 1, common.start) over sessions, 0) - 1 as portfolio_step,
        common.level / lag(common.level, 1, common.start) over sessions - 1 as benchmark_step,
        common.risk_free_sum - lag(common.risk_free_sum, 1, 0) over sessions as risk_free_step
    from common
    window sessions as (partition by common.strategy, common.reserve order by common.session)
),

pairs as (
    select
        strategy,
        reserve,
        session,
        previous_session,
        portfolio_step as simple_return,
        portfolio_step - risk_free_step as excess_return,
        benchmark_step as benchmark_return,
        portfolio_step - benchmark_step as active_return,
        benchmark_step - risk_free_step as benchmark_excess_return
    from steps
    where simple_return is not null and portfolio_step is not null and benchmark_step is not null
),

measured as (
    select
        pairs.strategy,
        pairs.reserve,
        study.benchmark,
        count(pairs.active_return) as sessions,
        min(pairs.previous_session) as first_session,
        max(pairs.session) as last_session,
        max(pairs.session) - min(pairs.previous_session) as days,
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
    first_session,
    last_session,
    is_of_a_year(days) as is_of_a_year,
    portfolio_return,
    benchmark_return,
    portfolio_return - benchmark_return as excess_over_benchmark,
    cagr(1 + portfolio_return, days) as portfolio_cagr,
    cagr(1 + benchmark_return, days) as benchmark_cagr,
    beta,
    alpha,
    tracking_error,
    information_ratio,
    correlation
from measured
order by strategy, reserve
