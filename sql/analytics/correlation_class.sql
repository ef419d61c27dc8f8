-- How asset classes move together by the length of a return, from hourly closes.
-- Grain: frequency, class_a, class_b.
-- Sources: correlation_frequency.
with
pairs as (
    select
        frequency,
        least(class_a, class_b) as class_a,
        greatest(class_a, class_b) as class_b,
        correlation,
        observations,
        minutes_apart
    from correlation_frequency
)

select
    frequency,
    class_a,
    class_b,
    count(correlation) as pairs,
    avg(correlation) as average_correlation,
    min(correlation) as lowest_correlation,
    max(correlation) as highest_correlation,
    min(observations) as observations,
    avg(minutes_apart) as minutes_apart
from pairs
group by frequency, class_a, class_b
order by frequency, class_a, class_b
