-- The ten deepest drawdowns of every scenario and its longest one: when they began, were deepest and were recovered.
-- Grain: strategy, reserve, depth_rank.
-- Sources: simulation_returns, simulation_partition.
with
-- The sessions under water that follow a peak share its number; 0 is the start of the study.
numbered as (
    select
        returns.strategy,
        returns.reserve,
        returns.session,
        returns.drawdown,
        is_under_water(returns.drawdown) as is_under_water,
        -- With a filter the window takes three times as long.
        count(case when not is_under_water(returns.drawdown) then 1 end) over (
            partition by returns.strategy, returns.reserve order by returns.session
        ) as peak
    from simulation_returns as returns
    inner join simulation_partition as stored using (strategy, reserve)
    where stored.is_current
),

episodes as (
    select
        strategy,
        reserve,
        peak,
        min(session) as peak_session,
        -- Of several that are as deep the first.
        arg_min(session, {'drawdown': drawdown, 'session': session}) as trough_session,
        max(session) as last_session,
        min(drawdown) as depth,
        count(session) filter (where is_under_water) as sessions
    from numbered
    group by strategy, reserve, peak
),

ended as (
    select
        strategy,
        reserve,
        peak_session,
        trough_session,
        last_session,
        depth,
        sessions,
        lead(peak_session) over (partition by strategy, reserve order by peak) as recovery_session
    from episodes
),

ranked as (
    select
        strategy,
        reserve,
        peak_session,
        trough_session,
        recovery_session,
        depth,
        sessions,
        coalesce(recovery_session, last_session) - peak_session as days,
        trough_session - peak_session as days_down,
        recovery_session - trough_session as days_up,
        row_number() over (partition by strategy, reserve order by depth, peak_session) as depth_rank,
        row_number() over (
            partition by strategy, reserve
            order by coalesce(recovery_session, last_session) - peak_session desc, peak_session
        ) as length_rank
    from ended
    where sessions > 0
)

select
    strategy,
    reserve,
    depth_rank,
    length_rank,
    peak_session,
    trough_session,
    recovery_session,
    depth,
    sessions,
    days,
    days_down,
    days_up
from ranked
where depth_rank <= 10 or length_rank = 1
order by strategy, reserve, depth_rank
