-- Open buyback lots are part of what is held, and what was bought for lots is either sold or open.
-- table: simulation_lots
with
holdings as (
    select
        strategy,
        reserve,
        ticker,
        sum(quantity) as held,
        coalesce(sum(quantity) filter (where kind = 'BUY'), 0) as bought
    from simulation_ledger
    where quantity is not null
    group by all
),
lots as (
    select
        strategy,
        reserve,
        ticker,
        coalesce(sum(quantity) filter (where closed is null), 0) as open_quantity,
        sum(quantity) as quantity,
        min(quantity) as smallest
    from simulation_lots
    group by all
)
select strategy, reserve, ticker, held, bought, open_quantity, quantity, smallest
from lots
inner join holdings using (strategy, reserve, ticker)
where
    smallest <= 0
    or open_quantity > held * (1 + 1e-9)
    or abs(quantity - bought) > 1e-6 * bought
