-- What all buckets of a ledger have of a unit is, to the last quantum, what activities state.
-- table: bucket_balance
select
    book,
    unit,
    sum(quanta) as beyond_stated
from bucket_balance
group by book, unit
having sum(quanta) <> 0
