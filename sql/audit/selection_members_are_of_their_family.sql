-- Members of a family are its scenarios, up to date and not buy-and-hold; the best and the confidence set are of them.
-- table: selection_member
with
held as (
    select strategy from study_strategy where is_buy_and_hold order by position limit 1
),

odd as (
    select members.family, members.measure, members.strategy, members.reserve, 'is no such scenario' as why
    from selection_member as members
    left join simulation_partition as stored using (strategy, reserve)
    left join study_strategy using (strategy)
    where
        not coalesce(stored.is_current, false)
        or members.strategy in (from held)
        or (members.family = 'mixes' and study_strategy.allocation_mix is null)
        or (members.family like 'sweep %' and members.family is distinct from 'sweep ' || study_strategy.sweep)
),

counted as (
    select
        family,
        measure,
        count(*) as scenarios,
        nullif(count_if(in_set), 0) as in_set,
        max(difference) as best
    from selection_member
    group by family, measure
),

miscounted as (
    select tests.family, tests.measure, tests.strategy, tests.reserve, 'is not the best, or counts are off' as why
    from selection_test as tests
    left join counted using (family, measure)
    left join selection_member as best using (family, measure, strategy, reserve)
    where
        tests.scenarios is distinct from counted.scenarios
        or tests.confidence_set is distinct from counted.in_set
        or tests.difference is distinct from counted.best
        or tests.difference is distinct from best.difference
)

from odd
union all
from miscounted
