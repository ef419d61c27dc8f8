-- Weights of a decision are whole basis points that sum to what it invests: the whole, or less by a rule.
-- table: mix_weight
with
summed as (
    select
        mix,
        decided_session,
        sum(round(weight * 10000)) as points,
        sum(round(unscaled * 10000)) as unscaled_points,
        max(abs(weight * 10000 - round(weight * 10000))) as off,
        max(abs(unscaled * 10000 - round(unscaled * 10000))) as unscaled_off
    from mix_weight
    group by all
),
-- What may leave money in the bank by itself; parts that are combined have a check of their own.
partial as (
    select mix from study_mix where method in ('kelly', 'proportional', 'regime', 'blend')
),
-- Scaling leaves weights within a basis point of what it comes to.
astray as (
    select mix, decided_session, count(*) as assets_astray
    from mix_weight
    inner join mix_fit using (mix, decided_session)
    where
        abs(weight - unscaled * scale) > 1e-4 + 1e-8
        or (scale = 1 and weight <> unscaled)
    group by all
)
select *
from summed
full join mix_fit using (mix, decided_session)
left join astray using (mix, decided_session)
where
    points is null
    or invested is null
    or off > 1e-8
    or unscaled_off > 1e-8
    or assets_astray > 0
    or points <> round(invested * 10000)
    or points > 10000
    or abs(points - unscaled_points * scale) > 1
    or unscaled_points > 10000
    or (
        unscaled_points < 10000
        and mix not in (from partial)
        and answered_by not in (from partial)
        -- What another mix left in the bank may stay there.
        and not (answered_by = 'previous' and exists (from partial))
    )
