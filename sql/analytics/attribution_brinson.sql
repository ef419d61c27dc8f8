-- Why a portfolio returned more or less than its policy mix, by asset class and month, after Brinson and Fachler.
-- Grain: strategy, reserve, month, asset_class.
-- Sources: simulation_returns, simulation_ledger, simulation_daily, asset_returns, rates, holding_interval, sessions, study_asset, strategy_target, lake.simulation_partition.
with
-- Strategies of the same targets have one policy mix.
mixes_of_strategies as (
    select strategy, dense_rank() over (order by targets)::integer as target_set
    from (
        select strategy, list((session, ticker, weight) order by session, ticker) as targets
        from strategy_target
        group by strategy
    )
),

target_sets as (
    select distinct mixes_of_strategies.target_set, targets.session, targets.ticker, targets.weight
    from strategy_target as targets
    inner join mixes_of_strategies using (strategy)
),

-- Small numbers represent names and dates, since a row per scenario, session and asset passes through here.
scenarios as (
    select
        strategy,
        reserve,
        capital,
        mixes_of_strategies.target_set,
        row_number() over (order by strategy, reserve)::integer as scenario,
        dense_rank() over (order by target_set, reserve)::integer as mix
    from lake.simulation_partition
    inner join mixes_of_strategies using (strategy)
    where is_current and keep = 'ledger'
),

classes as (
    select asset_class, row_number() over (order by asset_class)::integer as class
    from (select distinct asset_class from study_asset)
    union all
    select cash(), 0
),

assets as (
    select study_asset.ticker, study_asset.position::integer as asset, classes.class
    from study_asset
    inner join classes using (asset_class)
    union all
    select cash(), 0, 0
),

days as (
    select
        session,
        row_number() over (order by session)::integer as day,
        date_trunc('month', session)::date as month
    from sessions
),

-- The policy mix is put back to its targets at the close of the first session of a month, and of one at whose close they
-- change: a day belongs to the last close before it at which that was done, the very first day to none.
balanced_days as (
    select
        target_set,
        day,
        coalesce(
            max(case when is_balanced then day end) over (
                partition by target_set order by day rows between unbounded preceding and 1 preceding
            ),
            0
        ) as balanced
    from (
        select
            sets.target_set,
            days.day,
            days.day = min(days.day) over (partition by sets.target_set, days.month)
            or days.session in (
                select session from target_sets where target_sets.target_set = sets.target_set
            ) as is_balanced
        from (select distinct target_set from target_sets) as sets
        cross join days
    )
),

-- The weights in force at each of these closes; before the first, those of the first.
balanced_weights as (
    select stretches.target_set, stretches.balanced, assets.asset, dated.weight
    from (select distinct target_set, balanced from balanced_days) as stretches
    cross join assets
    asof inner join (
        select target_sets.target_set, target_sets.ticker, target_sets.weight, days.day
        from target_sets
        inner join days using (session)
    ) as dated
        on stretches.target_set = dated.target_set
        and assets.ticker = dated.ticker
        and greatest(stretches.balanced, 1) >= dated.day
),

-- What the weights leave of what is to be invested is cash, beside the reserve.
unallocated as (
    select target_set, balanced, greatest(1 - round(sum(weight), 12), 0) as share
    from balanced_weights
    group by target_set, balanced
),

-- The sessions of all assets are numbered through, since one number is faster to look up than two.
steps as (
    select
        row_number() over (order by assets.asset, days.day) as step,
        -- So many are there up to this asset.
        count(days.day) over (order by assets.asset) as last_step,
        days.session,
        days.day,
        assets.ticker,
        assets.asset,
        assets.class,
        asset_returns.price,
        asset_returns.previous_price,
        asset_returns.price + asset_returns.dividend - asset_returns.previous_price as gain,
        asset_returns.simple_return
    from asset_returns
    inner join assets using (ticker)
    inner join days using (session)
),

-- What one unit of money put into the policy's assets, and one into its cash, was worth when the session opened.
sleeves as (
    select
        balanced_days.target_set,
        steps.day,
        steps.class,
        coalesce(
            balanced_weights.weight * product(1 + steps.simple_return) over (
                partition by balanced_days.target_set, steps.asset, balanced_days.balanced
                order by steps.day rows between unbounded preceding and 1 preceding
            ),
            balanced_weights.weight
        ) as worth,
        steps.simple_return
    from steps
    inner join balanced_days using (day)
    inner join balanced_weights using (target_set, balanced, asset)
    union all
    select
        balanced_days.target_set,
        days.day,
        0 as class,
        coalesce(
            product(1 + rates.risk_free_return) over (
                partition by balanced_days.target_set, balanced_days.balanced
                order by days.day rows between unbounded preceding and 1 preceding
            ),
            1
        ) as worth,
        rates.risk_free_return
    from rates
    inner join days using (session)
    inner join balanced_days using (day)
),

sleeve_classes as (
    select
        target_set,
        day,
        class,
        sum(worth) as worth,
        sum(worth * simple_return) / nullif(sum(worth), 0) as class_return
    from sleeves
    group by target_set, day, class
),

mixes as (
    select distinct mix, target_set, reserve from scenarios
),

policy as (
    select
        mixes.mix,
        sleeve_classes.day,
        sleeve_classes.class,
        sleeve_classes.class_return as policy_class_return,
        -- Until the first close all of it is cash.
        case
            when sleeve_classes.day = 1 then (sleeve_classes.class = 0)::integer
            when sleeve_classes.class = 0
                then (mixes.reserve + (1 - mixes.reserve) * unallocated.share) * sleeve_classes.worth
            else (1 - mixes.reserve) * sleeve_classes.worth
        end as worth
    from sleeve_classes
    inner join mixes using (target_set)
    inner join balanced_days using (target_set, day)
    inner join unallocated using (target_set, balanced)
),

policy_classes as (
    select
        mix,
        day,
        class,
        -- What the mix holds nothing of has no return in it: that of the bank at a reserve of 0 neither.
        case when worth <> 0 then policy_class_return end as policy_class_return,
        worth / sum(worth) over (partition by mix, day) as policy_weight
    from policy
),

policy_returns as (
    select mix, day, sum(policy_weight * policy_class_return) as policy_return
    from policy_classes
    group by mix, day
),

returns as (
    select
        scenarios.scenario,
        scenarios.mix,
        days.day,
        days.month,
        simulation_returns.opening_value,
        simulation_returns.simple_return,
        policy_returns.policy_return,
        carino(simulation_returns.simple_return, policy_returns.policy_return) as factor
    from simulation_returns
    inner join scenarios using (strategy, reserve)
    inner join days using (session)
    inner join policy_returns using (mix, day)
    -- An empty portfolio is compared with nothing.
    where simulation_returns.simple_return is not null
),

-- The factors of a period that was a total loss do not exist.
month_factors as (
    select
        scenario,
        month,
        linking_factor(simple_return, policy_return) as month_factor
    from returns
    group by scenario, month
),

total_factors as (
    select
        scenario,
        linking_factor(simple_return, policy_return) as total_factor
    from returns
    group by scenario
),

bookings as (
    select
        scenarios.scenario,
        assets.asset,
        assets.class,
        days.day,
        coalesce(sum(ledger.quantity), 0) as quantity,
        coalesce(sum(ledger.quantity * ledger.price), 0) + sum(ledger.fee) as spent,
        sum(ledger.amount) as amount
    from simulation_ledger as ledger
    inner join scenarios using (strategy, reserve)
    inner join assets on coalesce(ledger.ticker, cash()) = assets.ticker
    inner join days using (session)
    where ledger.quantity is not null or ledger.kind = 'INTEREST'
    group by scenarios.scenario, assets.asset, assets.class, days.day
),

-- What is held at a close is held at the opening after it.
openings as (
    select
        scenarios.scenario,
        unnest(range(opened.step + 1, least(closed.step + 1, closed.last_step) + 1)) as step,
        intervals.holdings
    from holding_interval as intervals
    inner join scenarios using (strategy, reserve)
    inner join steps as opened on intervals.ticker = opened.ticker and intervals.first_session = opened.session
    inner join steps as closed on intervals.ticker = closed.ticker and intervals.last_session = closed.session
),

-- What a class held when a session opened, and what that earned.
held as (
    select
        scenario,
        day,
        class,
        sum(holdings * previous_price) as worth,
        sum(holdings * gain) as gain
    from openings
    inner join steps using (step)
    group by scenario, day, class
    union all
    select
        scenarios.scenario,
        days.day,
        0,
        lag(daily.bank, 1, scenarios.capital) over (
            partition by daily.strategy, daily.reserve order by daily.session
        ) + daily.deposits,
        coalesce(bookings.amount, 0)
    from simulation_daily as daily
    inner join scenarios using (strategy, reserve)
    inner join days using (session)
    left join bookings on scenarios.scenario = bookings.scenario and days.day = bookings.day and bookings.asset = 0
),

joined as (
    select
        returns.scenario,
        returns.month,
        returns.factor,
        returns.policy_return,
        policy_classes.class,
        policy_classes.policy_weight,
        policy_classes.policy_class_return,
        coalesce(held.worth, 0) / returns.opening_value as portfolio_weight,
        -- What rounding left of a class that was sold is nothing.
        case
            when abs(held.worth) > 1e-12 * abs(returns.opening_value) then held.gain / held.worth
        end as portfolio_class_return
    from returns
    inner join policy_classes using (mix, day)
    left join held using (scenario, day, class)
),

-- Where one of the two holds nothing of a class, the class earned for it what it earned for the other.
compared as (
    select
        scenario,
        month,
        class,
        factor,
        portfolio_weight,
        policy_weight,
        portfolio_class_return as held_return,
        coalesce(portfolio_class_return, policy_class_return, 0) as portfolio_class_return,
        coalesce(policy_class_return, portfolio_class_return, 0) as policy_class_return,
        policy_return
    from joined
),

effects as (
    select
        scenario,
        month,
        class,
        avg(portfolio_weight) as portfolio_weight,
        avg(policy_weight) as policy_weight,
        product(1 + held_return) - 1 as portfolio_return,
        product(1 + policy_class_return) - 1 as policy_return,
        sum(
            factor * brinson_allocation(portfolio_weight, policy_weight, policy_class_return, policy_return)
        ) as allocation,
        sum(
            factor * brinson_selection(policy_weight, portfolio_class_return, policy_class_return)
        ) as selection,
        sum(
            factor
            * brinson_interaction(portfolio_weight, policy_weight, portfolio_class_return, policy_class_return)
        ) as interaction
    from compared
    group by scenario, month, class
),

-- A trade gains or loses from its price to the close of its session, and costs its fee.
traded as (
    select
        bookings.scenario,
        returns.month,
        bookings.class,
        sum(
            returns.factor * (bookings.quantity * steps.price - bookings.spent) / returns.opening_value
        ) as trading
    from bookings
    inner join returns using (scenario, day)
    inner join steps using (asset, day)
    group by bookings.scenario, returns.month, bookings.class
)

select
    scenarios.strategy,
    scenarios.reserve,
    effects.month,
    classes.asset_class,
    effects.portfolio_weight,
    effects.policy_weight,
    effects.portfolio_return,
    effects.policy_return,
    effects.allocation / month_factors.month_factor as allocation,
    effects.selection / month_factors.month_factor as selection,
    effects.interaction / month_factors.month_factor as interaction,
    coalesce(traded.trading, 0) / month_factors.month_factor as trading,
    effects.allocation / total_factors.total_factor as linked_allocation,
    effects.selection / total_factors.total_factor as linked_selection,
    effects.interaction / total_factors.total_factor as linked_interaction,
    coalesce(traded.trading, 0) / total_factors.total_factor as linked_trading
from effects
inner join scenarios using (scenario)
inner join classes using (class)
inner join month_factors using (scenario, month)
inner join total_factors using (scenario)
left join traded using (scenario, month, class)
order by scenarios.strategy, scenarios.reserve, effects.month, classes.asset_class
