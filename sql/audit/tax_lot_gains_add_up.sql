-- A gain is proceeds less basis, no more than a loss is disallowed, and nothing is sold before it was bought.
-- table: simulation_tax_lots
select strategy, reserve, part, acquired, held_since, sold, basis, proceeds, gain, wash_sale_disallowed
from simulation_tax_lots
where
    held_since > acquired
    or (sold is null) != (market_value is not null)
    or (
        sold is not null
        and not (
            acquired <= sold
            and coalesce(same_money(gain, proceeds - basis, money := basis), false)
            and coalesce(wash_sale_disallowed <= greatest(-gain, 0) * (1 + 1e-9), false)
        )
    )
