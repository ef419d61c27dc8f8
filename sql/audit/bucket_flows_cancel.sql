-- What goes from one bucket to another is booked by both, so that it cancels.
-- table: bucket_ledger
with
moved as (
    select
        book,
        session,
        effective,
        kind,
        least(bucket, counterparty) as one,
        greatest(bucket, counterparty) as other,
        sum(amount) as net,
        sum(abs(amount)) as moved
    from bucket_ledger
    where counterparty <> 'outside'
    group by all
)
select * from moved where abs(net) > 1e-9 * moved
