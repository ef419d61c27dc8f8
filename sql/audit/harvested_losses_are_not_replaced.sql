-- No wash sale disallows a harvested loss: for 30 days nothing buys what was harvested, and nothing of it is left.
-- table: simulation_ledger
with
harvested as (
    select
        ledger.strategy,
        ledger.reserve,
        ledger.seq,
        ledger.session,
        ledger.ticker
    from simulation_ledger as ledger
    inner join simulation_partition using (strategy, reserve)
    where simulation_partition.is_current and ledger.kind = 'HARVEST_SELL'
)
select
    harvested.strategy,
    harvested.reserve,
    harvested.seq
from harvested
inner join simulation_ledger as bought
    on harvested.strategy = bought.strategy
    and harvested.reserve = bought.reserve
    and harvested.ticker = bought.ticker
    and harvested.seq < bought.seq
    and bought.session <= harvested.session + 30
where bought.quantity > 0
union all
select
    harvested.strategy,
    harvested.reserve,
    harvested.seq
from harvested
inner join simulation_tax_lots as lots
    on harvested.strategy = lots.strategy
    and harvested.reserve = lots.reserve
    and harvested.seq = lots.sale_seq
where lots.wash_sale_disallowed <> 0
