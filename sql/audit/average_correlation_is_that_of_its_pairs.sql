-- The average correlation of a session is the mean over its pairs, by the same window.
-- table: correlation_summary
with
pairs as (
    select session, avg(correlation) as average_correlation
    from correlation_pair
    where frequency = 'daily' and estimator = 'pearson' and "window" = 63
    group by session
)
select
    correlation_summary.session,
    correlation_summary.average_correlation,
    pairs.average_correlation as expected_average_correlation
from correlation_summary
inner join pairs using (session)
where
    abs(correlation_summary.average_correlation - pairs.average_correlation) > 1e-9
    or (correlation_summary.average_correlation is null) <> (pairs.average_correlation is null)
