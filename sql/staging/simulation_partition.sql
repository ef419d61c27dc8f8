-- Every scenario that the lake holds: what is kept of it, and what it was simulated on.
-- Grain: strategy, reserve.
-- Sources: lake.simulation_partition.
select
    strategy,
    reserve,
    keep,
    capital,
    prices_version,
    is_current
from lake.simulation_partition
order by strategy, reserve
