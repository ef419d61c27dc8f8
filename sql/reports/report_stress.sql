-- How every scenario fared in every episode of stress, beside the benchmark and buy-and-hold.
-- Grain: strategy, reserve, episode.
-- Sources: stress_episode, simulation_returns, simulation_daily, simulation_partition, sessions, study_strategy.
with
scenarios as (
    select
        strategy,
        reserve
    from simulation_partition
    where is_current
),

within as (
    select
        strategy,
        reserve,
        episode.episode,
        returns.session,
        returns.twr_index,
        max(returns.twr_index) over (partition by strategy, reserve, episode.episode order by returns.session) as highest,
        share_of_value(daily.bank, daily.value) as cash_share,
        case when returns.session > episode.first_session then daily.skipped_buys end as skipped_buys,
        returns.session = episode.first_session as is_first,
        returns.session = episode.last_session as is_last
    from stress_episode as episode
    inner join simulation_returns as returns
        on returns.session between episode.first_session and episode.last_session
    inner join simulation_daily as daily using (strategy, reserve, session)
    inner join scenarios using (strategy, reserve)
),

measured as (
    select
        strategy,
        reserve,
        episode,
        any_value(twr_index) filter (where is_first) as first_growth,
        any_value(twr_index) filter (where is_last) as last_growth,
        min(twr_index / nullif(highest, 0) - 1) as max_drawdown,
        min(cash_share) as lowest_cash_share,
        coalesce(sum(skipped_buys), 0)::bigint as skipped_buys
    from within
    group by strategy, reserve, episode
),

recovered as (
    select
        strategy,
        reserve,
        episode.episode,
        min(later.session) as session
    from measured
    inner join stress_episode as episode using (episode)
    inner join simulation_returns as later using (strategy, reserve)
    where
        measured.first_growth > 0
        and later.session >= episode.last_session
        and not is_under_water(later.twr_index / measured.first_growth - 1)
    group by strategy, reserve, episode.episode
),

numbered as (
    select
        session,
        row_number() over (order by session) as place
    from sessions
),

fared as (
    select
        strategy,
        reserve,
        episode,
        measured.last_growth / nullif(measured.first_growth, 0) - 1 as twr,
        measured.max_drawdown,
        recovered.session as recovery_session,
        measured.lowest_cash_share,
        measured.skipped_buys
    from measured
    left join recovered using (strategy, reserve, episode)
),

-- Buy-and-hold without a reserve: the study's first strategy of that kind.
holding as (
    select
        strategy,
        reserve,
        episode,
        twr
    from fared
    where
        reserve = 0
        and strategy = (select strategy from study_strategy where is_buy_and_hold order by position limit 1)
)

select
    fared.strategy,
    fared.reserve,
    fared.episode,
    episode.kind,
    episode.first_session,
    episode.last_session,
    episode.sessions,
    fared.twr,
    episode.benchmark_return,
    fared.twr - holding.twr as over_buy_and_hold,
    fared.max_drawdown,
    fared.recovery_session,
    recovery.place - ending.place as sessions_to_recover,
    fared.lowest_cash_share,
    fared.skipped_buys
from fared
inner join stress_episode as episode using (episode)
inner join numbered as ending on episode.last_session = ending.session
left join numbered as recovery on fared.recovery_session = recovery.session
left join holding
    on fared.episode = holding.episode
    and (fared.strategy <> holding.strategy or fared.reserve > 0)
order by fared.strategy, fared.reserve, fared.episode
