-- Linked effects add up to what a portfolio returned more than its policy mix, computed from the assets' own growth.
-- table: attribution_brinson
with
-- The policy mix is put back to its targets at the close of the first session of each month, and where they change.
attributable as (
    select distinct strategy from lake.simulation_partition where is_current and keep = 'ledger'
),
target_changes as (
    select distinct strategy, session from strategy_target
),
stretches as (
    select
        strategy,
        session,
        max(case when is_balanced then session end) over (
            partition by strategy order by session rows between unbounded preceding and 1 preceding
        ) as since
    from (
        select
            strategies.strategy,
            sessions.session,
            target_changes.session is not null
            or date_trunc('month', sessions.session) is distinct from lag(date_trunc('month', sessions.session)) over (
                partition by strategies.strategy order by sessions.session
            ) as is_balanced
        from sessions
        cross join attributable as strategies
        left join target_changes using (strategy, session)
    )
),
asset_growth as (
    select
        stretches.strategy,
        stretches.since,
        asset_returns.ticker,
        product(1 + asset_returns.simple_return) as growth
    from asset_returns
    inner join stretches using (session)
    where stretches.since is not null
    group by all
),
invested_growth as (
    select
        asset_growth.strategy,
        asset_growth.since,
        sum(targets.weight * asset_growth.growth) as growth,
        1 - sum(targets.weight) as unallocated
    from asset_growth
    asof inner join strategy_target as targets
        on asset_growth.strategy = targets.strategy
        and asset_growth.ticker = targets.ticker
        and asset_growth.since >= targets.session
    group by all
),
cash_growth as (
    select stretches.strategy, stretches.since, product(1 + rates.risk_free_return) as growth
    from rates
    inner join stretches using (session)
    where stretches.since is not null
    group by all
),
policy as (
    select
        stored.strategy,
        stored.reserve,
        coalesce(
            product(
                (1 - stored.reserve) * (invested_growth.growth + invested_growth.unallocated * cash_growth.growth)
                + stored.reserve * cash_growth.growth
            ),
            1
        ) - 1 as policy_return
    from lake.simulation_partition as stored
    left join invested_growth using (strategy)
    left join cash_growth using (strategy, since)
    where stored.is_current and stored.keep = 'ledger'
    group by all
),
survivors as (
    select strategy, reserve
    from simulation_returns
    group by all
    -- After a total loss there is nothing to compare, and sessions of an empty portfolio are not compared.
    having min(simple_return) > -1 and count(simple_return) = count(*)
),
attributed as (
    select
        strategy,
        reserve,
        sum(linked_allocation + linked_selection + linked_interaction + linked_trading) as active_return
    from attribution_brinson
    group by all
)
select strategy, reserve, attributed.active_return, report_strategy.twr, policy.policy_return
from policy
inner join survivors using (strategy, reserve)
inner join report_strategy using (strategy, reserve)
left join attributed using (strategy, reserve)
where
    -- Measured by the larger of the two returns, since their difference can be small.
    case
        when report_strategy.twr >= policy.policy_return
            then same_return(attributed.active_return + policy.policy_return, report_strategy.twr)
        else same_return(report_strategy.twr - attributed.active_return, policy.policy_return)
    end is not true
