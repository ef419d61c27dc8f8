-- The return of every bucket and session above that of cash, and how far its index is below its highest so far.
-- Grain: book, bucket, session.
-- Sources: bucket_daily, bucket_trade, rates.
with
-- A position may come and go within a session.
entries as (
    select distinct
        book,
        bucket,
        opened as session
    from bucket_trade
)

select
    daily.book,
    daily.bucket,
    daily.session,
    daily.simple_return,
    case
        -- Cash alone has no excess return, though what is paid in earns nothing on that day.
        when
            daily.simple_return is not null
            and daily.positions = 0
            and lag(daily.positions, 1, 0) over by_session = 0
            and entries.session is null
            then 0
        else daily.simple_return - rates.risk_free_return
    end as excess_return,
    drawdown(daily.twr_index, max(daily.twr_index) over by_session) as drawdown
from bucket_daily as daily
-- An account may have been marked on days of which the study knows no rate.
left join rates using (session)
left join entries using (book, bucket, session)
window by_session as (partition by daily.book, daily.bucket order by daily.session)
order by daily.book, daily.bucket, daily.session
