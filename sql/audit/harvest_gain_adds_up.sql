-- The gain of harvesting is what it saved in taxes, less what selling all would owe for it, and how values differ.
-- table: report_harvest
select
    strategy,
    reserve,
    gain,
    tax_saved - liquidation_tax_added + value_difference as parts
from report_harvest
where same_money(gain, parts, money := final_value) is not true
