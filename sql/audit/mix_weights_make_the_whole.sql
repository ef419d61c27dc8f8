-- Weights of a decision are whole basis points that sum to what it invests: the whole, but for Kelly's.
-- table: mix_weight
with
summed as (
    select
        mix,
        decided_session,
        sum(round(weight * 10000)) as points,
        max(abs(weight * 10000 - round(weight * 10000))) as off
    from mix_weight
    group by all
)
select *
from summed
full join mix_fit using (mix, decided_session)
left join study_mix using (mix)
left join study_mix as other on mix_fit.answered_by = other.mix
where
    points is null
    or invested is null
    or off > 1e-8
    or points <> round(invested * 10000)
    or points > 10000
    or (
        points < 10000
        and coalesce(other.method, study_mix.method) <> 'kelly'
        -- What another mix left in the bank may stay there.
        and not (answered_by = 'previous' and 'kelly' in (select method from study_mix))
    )
