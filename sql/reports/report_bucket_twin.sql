-- Every bucket of the account beside its twin: the same settings simulated, with the same money.
-- Grain: book, bucket.
-- Sources: study_bucket, bucket_daily, bucket_trade, bucket_twin.
with
buckets as (
    select
        study_bucket.plan as book,
        study_bucket.bucket,
        bucket_twin.since,
        bucket_twin.last_session,
        bucket_twin.value as twin_value,
        bucket_twin.twr_index as twin_twr_index,
        bucket_twin.max_drawdown as twin_max_drawdown,
        bucket_twin.trades as twin_trades,
        bucket_twin.wins as twin_wins,
        bucket_twin.open_positions as twin_open_positions,
        case when study_bucket.position = 0 then 'the core follows no settings of the ledger' else bucket_twin.missing end
            as missing
    from study_bucket
    left join bucket_twin on study_bucket.plan = bucket_twin.book and study_bucket.bucket = bucket_twin.bucket
    where study_bucket.plan = 'live'
),

days as (
    select
        daily.book,
        daily.bucket,
        daily.session,
        daily.value,
        daily.twr_index,
        max(daily.twr_index) over (
            partition by daily.book, daily.bucket order by daily.session
        ) as highest_index
    from bucket_daily as daily
    inner join buckets using (book, bucket)
    where daily.session between buckets.since and buckets.last_session
),

growth as (
    select
        book,
        bucket,
        count(session) as sessions,
        arg_max(value, session) as value,
        arg_max(twr_index, session) / nullif(arg_min(twr_index, session), 0) as twr_index,
        min(drawdown(twr_index, highest_index)) as max_drawdown
    from days
    group by book, bucket
),

trades as (
    select
        trade.book,
        trade.bucket,
        count(trade.closed) filter (where trade.closed <= buckets.last_session) as trades,
        count(trade.closed) filter (where trade.closed <= buckets.last_session and trade.outcome = 'win') as wins,
        count(trade.trade) filter (where trade.closed is null or trade.closed > buckets.last_session) as open_positions
    from bucket_trade as trade
    inner join buckets using (book, bucket)
    where
        trade.opened <= buckets.last_session
        and coalesce(trade.closed > buckets.since, true)
    group by trade.book, trade.bucket
)

select
    buckets.book,
    buckets.bucket,
    buckets.since,
    buckets.last_session,
    growth.sessions,
    growth.value,
    buckets.twin_value,
    growth.value - buckets.twin_value as value_difference,
    growth.twr_index,
    buckets.twin_twr_index,
    growth.twr_index - 1 as twr,
    buckets.twin_twr_index - 1 as twin_twr,
    growth.twr_index - buckets.twin_twr_index as twr_difference,
    growth.max_drawdown,
    buckets.twin_max_drawdown,
    case when buckets.missing is null then coalesce(trades.trades, 0) end as trades,
    buckets.twin_trades,
    case when buckets.missing is null then coalesce(trades.wins, 0) end as wins,
    buckets.twin_wins,
    case when buckets.missing is null then coalesce(trades.open_positions, 0) end as open_positions,
    buckets.twin_open_positions,
    buckets.missing
from buckets
left join growth using (book, bucket)
left join trades using (book, bucket)
order by buckets.book, buckets.bucket
