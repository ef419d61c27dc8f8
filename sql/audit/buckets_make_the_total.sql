-- Every bucket has its share of the value of all at every close; those of a plan all have a row, and a twin has the account's.
-- table: bucket_daily
with
planned as (
    select plan as book, count(*) as planned_buckets
    from study_bucket
    where not is_of_ledger(plan)
    group by plan
),
added as (
    select
        book,
        session,
        bucket,
        value,
        share,
        sum(value) over of_book as total,
        count(*) over of_book as buckets
    from bucket_daily
    window of_book as (partition by book, session)
),
-- A twin is beside the rest of the account, as it was marked last.
rests as (
    select
        book,
        bucket,
        session,
        total - value as rest
    from added
    where book = 'live'
),
beside as (
    select
        added.book,
        added.session,
        added.bucket,
        added.value,
        added.share,
        added.buckets,
        -- A satellite on paper is beside an account that is assumed, of which no more is known than that it is not less.
        starts_with(added.book, 'paper:') as is_assumed,
        added.total + case when is_twin(added.book) then rests.rest else 0 end as total
    from added
    asof left join rests on added.bucket = rests.bucket and added.session >= rests.session
)
select beside.*, planned.planned_buckets
from beside
left join planned using (book)
where
    beside.buckets <> planned.planned_buckets
    or case
        when beside.is_assumed then beside.share between 0 and 1 + 1e-9
        -- An account that is worth nothing has no shares.
        else same_return(beside.share, case when beside.total > 1e-6 then beside.value / beside.total else 0 end)
    end is not true
