-- The shares that a bucket of a ledger has are those that came and went, and those of its open positions.
-- table: bucket_balance
with
held as (
    select
        book,
        bucket,
        unit as ticker,
        amount
    from bucket_balance
    where bucket <> 'outside' and not is_currency
),
moved as (
    select
        book,
        bucket,
        ticker,
        sum(quantity) as quantity,
        sum(abs(quantity)) as turnover
    from bucket_ledger
    where quantity is not null and is_of_ledger(book)
    group by all
),
opened as (
    select
        book,
        bucket,
        ticker,
        sum(quantity) as quantity
    from bucket_trade
    where closed is null and is_of_ledger(book)
    group by all
)
select
    book,
    bucket,
    ticker,
    held.amount,
    moved.quantity as moved,
    opened.quantity as opened
from held
full join moved using (book, bucket, ticker)
full join opened using (book, bucket, ticker)
where
    same_money(coalesce(held.amount, 0), coalesce(moved.quantity, 0), money := moved.turnover) is not true
    or (bucket <> 'core' and same_money(coalesce(held.amount, 0), coalesce(opened.quantity, 0)) is not true)
