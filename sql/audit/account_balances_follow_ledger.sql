-- The shares that a bucket of a ledger has are those that came, less those that went.
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
)
select
    book,
    bucket,
    ticker,
    held.amount,
    moved.quantity as moved
from held
full join moved using (book, bucket, ticker)
where same_money(coalesce(held.amount, 0), coalesce(moved.quantity, 0), money := moved.turnover) is not true
