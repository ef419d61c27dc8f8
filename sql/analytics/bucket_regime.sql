-- How every bucket did by the regime of the market at the session before, and how its trades entered in it ended.
-- Grain: book, bucket, regime.
-- Sources: bucket_returns, bucket_trade, regime_episode, study.
with
rules as (
    -- A month of returns; fewer say nothing about a year.
    select
        21 as fewest_returns,
        periods_per_year
    from study
),

performance as (
    select
        returns.book,
        returns.bucket,
        episodes.regime,
        count(returns.session) as sessions,
        count(distinct episodes.episode) as episodes,
        count(returns.simple_return) >= rules.fewest_returns as is_enough,
        annualised_mean(returns.simple_return, rules.periods_per_year) as mean_return,
        annualised_volatility(returns.simple_return, rules.periods_per_year) as volatility,
        sharpe(returns.excess_return, rules.periods_per_year) as sharpe
    from bucket_returns as returns
    inner join regime_episode as episodes using (session)
    cross join rules
    where episodes.regime is not null
    group by returns.book, returns.bucket, episodes.regime, rules.fewest_returns, rules.periods_per_year
),

trades as (
    select
        book,
        bucket,
        regime,
        count(closed) as trades,
        count(closed) filter (where outcome = 'win') as wins,
        avg(trade_return) as mean_trade_return
    from bucket_trade
    group by book, bucket, regime
)

select
    performance.book,
    performance.bucket,
    performance.regime,
    performance.sessions,
    performance.episodes,
    case when performance.is_enough then performance.mean_return end as mean_return,
    case when performance.is_enough then performance.volatility end as volatility,
    case when performance.is_enough then performance.sharpe end as sharpe,
    case when performance.bucket <> 'core' then coalesce(trades.trades, 0) end as trades,
    trades.wins / nullif(trades.trades, 0) as win_rate,
    trades.mean_trade_return
from performance
left join trades using (book, bucket, regime)
order by performance.book, performance.bucket, performance.regime
