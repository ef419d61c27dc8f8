-- A position is opened at the factor of the close before, which is above 0; in an account, what a signal asked for is.
-- table: bucket_trade
with
known as (
    select
        book,
        bucket,
        session,
        lag(factor) over (partition by book, bucket order by session) as known_factor
    from bucket_daily
)
select
    trade.book,
    trade.bucket,
    trade.trade,
    trade.opened,
    trade.factor,
    known.known_factor
from bucket_trade as trade
left join known on trade.book = known.book and trade.bucket = known.bucket and trade.opened = known.session
where
    case
        -- An order of an account may be filled later, and what a person trades has no factor.
        when is_of_ledger(trade.book) then coalesce(trade.factor > 0, true)
        else trade.factor = known.known_factor and trade.factor > 0
    end is not true
