-- The targets of a strategy with a mix are what the mix decided, from the session after the decision on.
-- table: strategy_target
with
decided as (
    select
        parts.strategy,
        mix_fit.effective_session as session,
        mix_weight.ticker,
        mix_weight.weight
    from study_strategy as parts
    inner join mix_fit on parts.allocation_mix = mix_fit.mix
    inner join mix_weight using (mix, decided_session)
    where mix_fit.effective_session is not null
),
targets as (
    select targets.strategy, targets.session, targets.ticker, targets.weight
    from strategy_target as targets
    inner join study_strategy as parts using (strategy)
    where parts.allocation_mix is not null
),
-- What was in force at each session for which something was decided.
in_force as (
    select
        decided.strategy,
        decided.session,
        decided.ticker,
        decided.weight,
        targets.weight as target,
        targets.session as since
    from decided
    asof left join targets
        on decided.strategy = targets.strategy
        and decided.ticker = targets.ticker
        and decided.session >= targets.session
)
select strategy, session, ticker from in_force where target is distinct from weight
union all
select targets.strategy, targets.session, targets.ticker
from targets
anti join decided using (strategy, session, ticker)
where targets.session > (select min(session) from sessions)
