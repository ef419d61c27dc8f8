-- Every bucket has its share of the value of all at every close, and those of a plan all have a row.
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
)
select added.*, planned.planned_buckets
from added
left join planned using (book)
where
    added.buckets <> planned.planned_buckets
    -- An account that is worth nothing has no shares.
    or same_return(added.share, case when added.total > 1e-6 then added.value / added.total else 0 end) is not true
