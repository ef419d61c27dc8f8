-- A replay of a mix is its last weights, bought at the first close and left alone, dividends reinvested, the rest in cash.
-- table: stress_mix
with
replays as (
    select
        stress.mix,
        stress.stress,
        stress.decided_session,
        stress.mix_return,
        episode.first_session,
        episode.last_session
    from stress_mix as stress
    inner join stress_episode as episode on stress.stress = episode.episode
    where stress.kind = 'replay' and stress.missing is null
),

assets as (
    select
        replays.mix,
        replays.stress,
        weights.weight,
        weights.weight * product(1 + returns.simple_return) as worth
    from replays
    inner join mix_weight as weights using (mix, decided_session)
    inner join asset_returns as returns
        on weights.ticker = returns.ticker
        and returns.session > replays.first_session
        and returns.session <= replays.last_session
    group by replays.mix, replays.stress, weights.ticker, weights.weight
),

cash as (
    select
        replays.mix,
        replays.stress,
        product(1 + rates.risk_free_return) as growth
    from replays
    inner join rates on rates.session > replays.first_session and rates.session <= replays.last_session
    group by replays.mix, replays.stress
),

held as (
    select
        mix,
        stress,
        sum(worth) as worth,
        greatest(0, 1 - sum(weight)) as bank
    from assets
    group by mix, stress
)

select
    replays.mix,
    replays.stress,
    replays.mix_return,
    held.worth + held.bank * cash.growth - 1 as expected_return
from replays
left join held using (mix, stress)
left join cash using (mix, stress)
where same_return(replays.mix_return, held.worth + held.bank * cash.growth - 1) is not true
