-- A mix of regimes follows what was last called for on as many sessions in a row as it asks.
-- table: mix_fit
--
-- A change without a decision has changed no weight.
with
asked as (
    select study_mix.mix, study_mix.confirm, others.part as otherwise
    from study_mix
    inner join study_mix_part as others on study_mix.mix = others.mix and others.regime = 'otherwise'
),
called as (
    select
        asked.mix,
        asked.confirm,
        asked.otherwise,
        market_regime.session,
        coalesce(named.part, asked.otherwise) as part
    from asked
    cross join market_regime
    left join study_mix_part as named on asked.mix = named.mix and market_regime.regime = named.regime
),
-- Sessions in a row that call for the same mix have the same number of sessions before them that call for others.
rows_of_calls as (
    select
        mix,
        confirm,
        otherwise,
        session,
        part,
        row_number() over (partition by mix order by session)
        - row_number() over (partition by mix, part order by session) as others_before
    from called
),
confirmed as (
    select
        mix,
        otherwise,
        session,
        case
            when row_number() over (partition by mix, part, others_before order by session) >= confirm then part
        end as part
    from rows_of_calls
),
followed as (
    select
        mix,
        otherwise,
        session,
        coalesce(
            last_value(part ignore nulls) over (
                partition by mix order by session rows between unbounded preceding and current row
            ),
            otherwise
        ) as part
    from confirmed
),
moved as (
    select
        mix,
        session,
        part,
        part <> lag(part, 1, otherwise) over (partition by mix order by session) as has_changed
    from followed
),
undecided as (
    select moved.mix, moved.session, moved.part
    from moved
    anti join mix_fit on moved.mix = mix_fit.mix and moved.session = mix_fit.decided_session
    where moved.has_changed
),
kept as (
    select undecided.mix, undecided.session, undecided.part, mix_fit.decided_session, mix_fit.follows
    from undecided
    asof inner join mix_fit on undecided.mix = mix_fit.mix and undecided.session >= mix_fit.decided_session
    where mix_fit.invested > 0
)
select moved.mix, moved.session, moved.part, mix_fit.follows
from moved
inner join mix_fit on moved.mix = mix_fit.mix and moved.session = mix_fit.decided_session
where mix_fit.follows is distinct from moved.part
union
select kept.mix, kept.session, kept.part, kept.follows
from kept
inner join mix_weight as own on kept.mix = own.mix and kept.decided_session = own.decided_session
asof inner join mix_weight as theirs
    on kept.part = theirs.mix and own.ticker = theirs.ticker and kept.session >= theirs.decided_session
where own.unscaled <> theirs.weight
