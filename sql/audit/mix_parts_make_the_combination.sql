-- A blend is the mean of its parts by their shares, and a mix of regimes is the one that it follows.
-- table: mix_weight
with
parts as (
    select distinct mix, part, share
    from study_mix_part
),
combined as (
    select
        own.mix,
        own.decided_session,
        own.ticker,
        own.unscaled,
        parts.share,
        theirs.weight
    from mix_weight as own
    inner join mix_fit using (mix, decided_session)
    inner join parts
        on
            own.mix = parts.mix
            and (parts.share is not null or mix_fit.follows = parts.part)
    asof left join mix_weight as theirs
        on
            parts.part = theirs.mix
            and own.ticker = theirs.ticker
            and own.decided_session >= theirs.decided_session
)
select
    mix,
    decided_session,
    ticker,
    unscaled,
    sum(coalesce(share, 1) * weight) as made_of
from combined
group by all
having
    -- Before a part has decided anything it has the weights until it can.
    count(weight) = count(*)
    and abs(unscaled - made_of) > if(count(share) > 0, 1e-4, 0) + 1e-8
union all
select mix_fit.mix, mix_fit.decided_session, null, null, null
from mix_fit
inner join study_mix using (mix)
where (study_mix.method = 'regime') <> (mix_fit.follows is not null)
