-- How every scenario did by the regime of the market at the session before.
-- Grain: strategy, reserve, regime.
-- Sources: simulation_returns, simulation_ledger, simulation_partition, regime_episode, study.
with
rules as (
    -- A month of returns; fewer say nothing about a year.
    select
        21 as fewest_returns,
        periods_per_year
    from study
),

fills as (
    select
        strategy,
        reserve,
        session,
        count(quantity) as trades
    from simulation_ledger
    where kind <> 'INITIAL_BUY'
    group by strategy, reserve, session
),

performance as (
    select
        returns.strategy,
        returns.reserve,
        episodes.regime,
        count(returns.session) as sessions,
        count(distinct episodes.episode) as episodes,
        count(returns.simple_return) >= rules.fewest_returns as is_enough,
        annualised_mean(returns.simple_return, rules.periods_per_year) as mean_return,
        annualised_volatility(returns.simple_return, rules.periods_per_year) as volatility,
        sharpe(returns.excess_return, rules.periods_per_year) as sharpe,
        win_rate(returns.simple_return) as win_rate,
        case when stored.keep = 'ledger' then coalesce(sum(fills.trades), 0)::bigint end as trades
    from simulation_returns as returns
    inner join regime_episode as episodes using (session)
    inner join simulation_partition as stored using (strategy, reserve)
    left join fills using (strategy, reserve, session)
    cross join rules
    where episodes.regime is not null
    group by
        returns.strategy, returns.reserve, episodes.regime, stored.keep, rules.fewest_returns, rules.periods_per_year
)

select
    strategy,
    reserve,
    regime,
    sessions,
    sessions / sum(sessions) over (partition by strategy, reserve) as session_share,
    episodes,
    case when is_enough then mean_return end as mean_return,
    case when is_enough then volatility end as volatility,
    case when is_enough then sharpe end as sharpe,
    case when is_enough then win_rate end as win_rate,
    trades
from performance
order by strategy, reserve, regime
