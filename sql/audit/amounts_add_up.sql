-- A fill moves its quantity times its price and its fee, and only a skipped order moves nothing.
-- table: simulation_ledger
select strategy, reserve, seq, kind, quantity, price, fee, amount
from simulation_ledger
where
    (quantity is not null and same_money(amount, -quantity * price - fee, money := abs(quantity) * price) is not true)
    or (amount = 0) != (kind like 'SKIP%')
