-- Shares of an instrument are in one bucket of a book.
-- table: bucket_balance
select
    book,
    unit,
    count(*) as buckets
from bucket_balance
where bucket <> 'outside' and not is_currency
group by book, unit
having count(*) > 1
