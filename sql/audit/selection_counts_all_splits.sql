-- The bins of ranks hold all splits, and those up to the median make the probability of overfitting.
-- table: selection_split
with
counted as (
    select
        family,
        measure,
        sum(splits) as splits,
        sum(splits) filter (where rank_up_to <= 0.5) as overfit
    from selection_split
    group by family, measure
)

select tests.family, tests.measure, tests.splits, counted.splits as counted, tests.pbo, counted.overfit
from selection_test as tests
full join counted using (family, measure)
where
    coalesce(tests.splits, 0) <> coalesce(counted.splits, 0)
    or (tests.pbo is null) <> (counted.splits is null)
    or abs(tests.pbo - counted.overfit / counted.splits) > 1e-12
