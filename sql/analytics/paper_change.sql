-- Decisions on paper that would be another one now, by asset: what was frozen, and what it would be.
-- Grain: strategy, reserve, decided_session, ticker.
-- Sources: paper_decision, simulation_partition, holding_interval, asset_returns, strategy_target, study_strategy, mix_fit, mix_weight, study.
with
targets as (
    select
        strategy,
        session,
        ticker,
        weight
    from strategy_target
    union all
    -- What was decided last is in force at the next close.
    select
        parts.strategy,
        study.next_session as session,
        mix_weight.ticker,
        mix_weight.weight
    from study_strategy as parts
    inner join mix_fit on parts.allocation_mix = mix_fit.mix
    inner join mix_weight using (mix, decided_session)
    cross join study
    where mix_fit.effective_session is null and study.next_session is not null
),

frozen as (
    select
        paper.strategy,
        paper.reserve,
        paper.decided_session,
        paper.ticker,
        paper.next_session,
        paper.weight,
        paper.worth,
        paper.value
    from paper_decision as paper
    inner join simulation_partition as stored using (strategy, reserve)
    where stored.is_current and stored.keep = 'ledger'
),

decided as (
    select
        frozen.strategy,
        frozen.reserve,
        frozen.decided_session,
        frozen.ticker,
        frozen.weight,
        frozen.worth,
        frozen.value,
        targets.weight as weight_now
    from frozen
    asof left join targets
        on frozen.strategy = targets.strategy
        and frozen.ticker = targets.ticker
        and frozen.next_session >= targets.session
)

select
    decided.strategy,
    decided.reserve,
    decided.decided_session,
    decided.ticker,
    decided.weight,
    decided.worth,
    decided.weight_now,
    coalesce(held.holdings, 0) * marks.price as worth_now
from decided
left join asset_returns as marks
    on decided.ticker = marks.ticker
    and decided.decided_session = marks.session
left join holding_interval as held
    on decided.strategy = held.strategy
    and decided.reserve = held.reserve
    and decided.ticker = held.ticker
    and decided.decided_session between held.first_session and held.last_session
where
    coalesce(abs(decided.weight - decided.weight_now) > 1e-9, true)
    or same_money(decided.worth, worth_now, money := decided.value) is not true
order by decided.strategy, decided.reserve, decided.decided_session, decided.ticker
