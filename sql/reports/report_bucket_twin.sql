-- Every bucket of the account beside its twin: the same settings simulated, with the same money.
-- Grain: book, bucket.
-- Sources: study_bucket, bucket_daily, bucket_trade, bucket_twin.
--
-- Both are books in the same tables, and are looked at alike.
with
buckets as (
    select
        study_bucket.plan as book,
        study_bucket.bucket,
        bucket_twin.since,
        bucket_twin.last_session,
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
    inner join buckets using (bucket)
    where
        (daily.book = buckets.book or is_twin(daily.book))
        and daily.session between buckets.since and buckets.last_session
),

growth as (
    select
        bucket,
        is_twin(book) as is_twin,
        count(session) as sessions,
        arg_max(value, session) as value,
        arg_max(twr_index, session) / nullif(arg_min(twr_index, session), 0) as twr_index,
        min(drawdown(twr_index, highest_index)) as max_drawdown
    from days
    group by bucket, is_twin(book)
),

trades as (
    select
        trade.bucket,
        is_twin(trade.book) as is_twin,
        count(trade.closed) filter (where trade.closed <= buckets.last_session) as trades,
        count(trade.closed) filter (where trade.closed <= buckets.last_session and trade.outcome = 'win') as wins,
        count(trade.trade) filter (where trade.closed is null or trade.closed > buckets.last_session) as open_positions
    from bucket_trade as trade
    inner join buckets using (bucket)
    where
        (trade.book = buckets.book or is_twin(trade.book))
        and trade.opened <= buckets.last_session
        and coalesce(trade.closed > buckets.since, true)
    group by trade.bucket, is_twin(trade.book)
),

performance as (
    select
        growth.bucket,
        growth.is_twin,
        growth.sessions,
        growth.value,
        growth.twr_index,
        growth.max_drawdown,
        coalesce(trades.trades, 0) as trades,
        coalesce(trades.wins, 0) as wins,
        coalesce(trades.open_positions, 0) as open_positions
    from growth
    left join trades using (bucket, is_twin)
)

select
    buckets.book,
    buckets.bucket,
    buckets.since,
    buckets.last_session,
    account.sessions,
    account.value,
    twin.value as twin_value,
    account.value - twin.value as value_difference,
    account.twr_index,
    twin.twr_index as twin_twr_index,
    account.twr_index - 1 as twr,
    twin.twr_index - 1 as twin_twr,
    account.twr_index - twin.twr_index as twr_difference,
    account.max_drawdown,
    twin.max_drawdown as twin_max_drawdown,
    account.trades,
    twin.trades as twin_trades,
    account.wins,
    twin.wins as twin_wins,
    account.open_positions,
    twin.open_positions as twin_open_positions,
    buckets.missing
from buckets
left join performance as account on buckets.bucket = account.bucket and not account.is_twin
left join performance as twin on buckets.bucket = twin.bucket and twin.is_twin
order by buckets.book, buckets.bucket
