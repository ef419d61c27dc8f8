-- The positions of a plan's satellite add up to what its ledger paid, received and still holds of a ticker.
-- table: bucket_trade
with
positions as (
    select
        book,
        bucket,
        ticker,
        sum(cost) as cost,
        sum(coalesce(proceeds, 0)) as proceeds,
        sum(dividends) as dividends,
        sum(case when closed is null then quantity else 0 end) as shares,
        sum(quantity) as bought
    from bucket_trade
    where not is_of_ledger(book)
    group by all
),
booked as (
    select
        book,
        bucket,
        ticker,
        -sum(case when quantity > 0 then amount else 0 end) as cost,
        sum(case when quantity < 0 then amount else 0 end) as proceeds,
        sum(case when kind = 'DIVIDEND' then amount else 0 end) as dividends,
        sum(coalesce(quantity, 0)) as shares
    from bucket_ledger
    where bucket <> 'core' and ticker is not null and not is_of_ledger(book)
    group by all
)
select
    book,
    bucket,
    ticker,
    positions.cost,
    booked.cost as booked_cost,
    positions.proceeds,
    booked.proceeds as booked_proceeds,
    positions.dividends,
    booked.dividends as booked_dividends,
    positions.shares,
    booked.shares as booked_shares
from positions
full join booked using (book, bucket, ticker)
where
    same_money(positions.cost, booked.cost) is not true
    or same_money(positions.proceeds, booked.proceeds, money := booked.cost) is not true
    or same_money(positions.dividends, booked.dividends, money := booked.cost) is not true
    or same_money(positions.shares, booked.shares, money := positions.bought) is not true
