-- How often one reserve of a strategy did better than another in the same bootstrap sample.
-- Grain: strategy, measure, reserve, other_reserve.
-- Sources: reserve_measure.
select
    one.strategy,
    one.measure,
    one.reserve,
    other.reserve as other_reserve,
    -- Half a win each where both did the same.
    avg(case when one.score > other.score then 1 when one.score = other.score then 0.5 else 0 end)
        as probability,
    count(one.history) as histories
from reserve_measure as one
inner join reserve_measure as other
    on one.strategy = other.strategy
    and one.measure = other.measure
    and one.history = other.history
    and one.reserve <> other.reserve
group by one.strategy, one.measure, one.reserve, other.reserve
order by one.strategy, one.measure, one.reserve, other_reserve
