-- What every scenario held of every asset, from one trade to the next.
-- Grain: strategy, reserve, ticker, first_session.
-- Sources: simulation_ledger, sessions.
with
days as (
    select session, row_number() over (order by session) as day
    from sessions
),

moves as (
    select ledger.strategy, ledger.reserve, ledger.ticker, days.day, sum(ledger.quantity) as quantity
    from simulation_ledger as ledger
    inner join days using (session)
    where ledger.quantity is not null
    group by ledger.strategy, ledger.reserve, ledger.ticker, days.day
),

intervals as (
    select
        strategy,
        reserve,
        ticker,
        day as first_day,
        lead(day) over trades - 1 as last_day,
        sum(quantity) over trades as holdings
    from moves
    window trades as (partition by strategy, reserve, ticker order by day)
)

select
    intervals.strategy,
    intervals.reserve,
    intervals.ticker,
    opened.session as first_session,
    coalesce(closed.session, (select max(session) from sessions)) as last_session,
    intervals.holdings
from intervals
inner join days as opened on intervals.first_day = opened.day
left join days as closed on intervals.last_day = closed.day
order by intervals.strategy, intervals.reserve, intervals.ticker, first_session
