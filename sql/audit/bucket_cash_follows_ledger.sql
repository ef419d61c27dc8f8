-- The cash of a bucket at every close is what it started with and everything that counts at closes up to then.
-- table: bucket_daily
with
-- What satellites start with is booked; the core of a plan starts with the rest of the capital. Books of a ledger start
-- with nothing.
openings as (
    select book, sum(amount) filter (where kind = 'OPENING') as opened
    from bucket_ledger
    group by book
),
booked as (
    select book, bucket, session, sum(amount) as amount, sum(abs(amount)) as moved
    from bucket_ledger
    group by all
),
started as (
    select
        daily.book,
        daily.bucket,
        daily.session,
        daily.cash,
        case when daily.bucket = 'core' and not is_of_ledger(daily.book) then study.capital - coalesce(openings.opened, 0) else 0 end as capital,
        coalesce(booked.amount, 0) as amount,
        coalesce(booked.moved, 0) as moved
    from bucket_daily as daily
    cross join study
    left join openings using (book)
    left join booked using (book, bucket, session)
),
expected as (
    select
        book,
        bucket,
        session,
        cash,
        capital + sum(amount) over so_far as expected_cash,
        capital + sum(moved) over so_far as moved
    from started
    window so_far as (partition by book, bucket order by session)
)
select * from expected where same_money(cash, expected_cash, money := moved) is not true
