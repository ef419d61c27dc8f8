-- What every decision's signals predicted: rank correlations with the returns that followed.
-- Grain: session, signal, horizon.
-- Sources: signal, forward_return.
with
-- Which assets could be bought shows with the shortest horizon. Places are doubled, so that ties have whole ones.
said as (
    select
        signal.session,
        signal.signal,
        signal.ticker,
        rank() over by_value + count(signal.value) over by_value as value_place,
        count(signal.value) over (partition by signal.session, signal.signal) as assets
    from signal
    inner join forward_return using (session, ticker)
    where signal.z is not null and forward_return.horizon = 1 and forward_return.simple_return is not null
    window by_value as (partition by signal.session, signal.signal order by signal.value)
),

followed as (
    select
        said.session,
        said.signal,
        forward_return.horizon,
        said.ticker,
        said.value_place,
        said.assets,
        forward_return.simple_return,
        rank() over by_return + count(forward_return.simple_return) over by_return as return_place
    from said
    inner join forward_return using (session, ticker)
    where forward_return.simple_return is not null
    window
        by_return as (partition by said.session, said.signal, forward_return.horizon order by forward_return.simple_return)
),

predicted as (
    select
        session,
        signal,
        horizon,
        count(simple_return) as assets,
        rank_correlation(value_place, return_place) as coefficient,
        list(simple_return order by ticker) filter (where 3 * value_place >= 4 * assets + 6) as highest,
        list(simple_return order by ticker) filter (where 3 * value_place <= 2 * assets) as lowest
    from followed
    group by session, signal, horizon
),

asked as (
    select
        signals.session,
        signals.signal,
        ends.horizon,
        ends.ended_session
    from (select distinct session, signal from signal) as signals
    inner join (select distinct session, horizon, ended_session from forward_return) as ends using (session)
)

select
    asked.session,
    asked.signal,
    asked.horizon,
    asked.ended_session,
    coalesce(predicted.assets, 0) as assets,
    predicted.coefficient,
    case when predicted.coefficient is not null then list_avg(predicted.highest) - list_avg(predicted.lowest) end as spread
from asked
left join predicted using (session, signal, horizon)
order by asked.session, asked.signal, asked.horizon
