-- No target exceeds 15 % of the account, and those of all satellites together no 30 %.
-- table: bucket_daily
with
added as (
    select
        book,
        session,
        max(target) as largest,
        sum(target) as together
    from bucket_daily
    where bucket <> 'core'
    group by all
)
select * from added where exceeds(largest, 0.15) or together > 0.3 + 1e-9
