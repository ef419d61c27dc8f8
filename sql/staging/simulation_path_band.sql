-- What every scenario would have come to under each path of a bar; of studies with path_band.
-- Grain: strategy, reserve, path.
-- Sources: lake.simulation_path_band.
select
    strategy,
    reserve,
    path,
    is_chosen,
    final_value,
    twr
from lake.simulation_path_band
order by strategy, reserve, path
