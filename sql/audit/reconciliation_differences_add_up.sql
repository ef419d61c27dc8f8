-- A difference is what the broker had less what was booked and held; shares are never corrected.
-- table: bucket_reconciliation
select reconciled.*
from bucket_reconciliation as reconciled
left join bucket_balance as balance
    on reconciled.book = balance.book and reconciled.unit = balance.unit and balance.bucket = 'outside'
where
    abs(reconciled.actual - reconciled.booked - reconciled.held - reconciled.difference)
    > 1e-9 * greatest(abs(reconciled.actual), abs(reconciled.booked), 1)
    or (reconciled.action = 'corrected' and not balance.is_currency)
