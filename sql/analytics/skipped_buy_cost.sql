-- What every refused purchase would have gained until its sale, or until now.
-- Grain: strategy, reserve, seq.
-- Sources: simulation_ledger, study_asset, study_strategy, prices, asset_returns, lake.simulation_partition.
with
skips as (
    select
        ledger.strategy,
        ledger.reserve,
        ledger.seq,
        ledger.session,
        ledger.ticker,
        ledger.skipped_quantity as quantity,
        ledger.price,
        -- The sale that would have followed is one rung up.
        ledger.price
        * (1 + coalesce(study_asset.bracket, rung(study_asset.sd_n), study_strategy.bracket)) as sale_limit
    from simulation_ledger as ledger
    inner join lake.simulation_partition as stored using (strategy, reserve)
    inner join study_strategy using (strategy)
    inner join study_asset using (ticker)
    where stored.is_current and ledger.kind = 'SKIP_BUY'
),

sales as (
    select skips.strategy, skips.reserve, skips.seq, min(prices.session) as sale_session
    from skips
    inner join prices
        on skips.ticker = prices.ticker
        and skips.session < prices.session
        -- The tolerance with which the simulation takes a limit for reached.
        and skips.sale_limit * (1 - 1e-12) <= prices.high
    group by skips.strategy, skips.reserve, skips.seq
),

last_prices as (
    select ticker, arg_max(price, session) as price
    from asset_returns
    group by ticker
),

outcomes as (
    select
        skips.strategy,
        skips.reserve,
        skips.seq,
        skips.session,
        skips.ticker,
        skips.quantity,
        skips.price,
        skips.sale_limit,
        sales.sale_session,
        case when sales.sale_session is null then last_prices.price else skips.sale_limit end as exit_price
    from skips
    inner join last_prices using (ticker)
    left join sales using (strategy, reserve, seq)
)

select
    strategy,
    reserve,
    seq,
    session,
    ticker,
    quantity,
    price,
    sale_limit,
    sale_session,
    exit_price,
    quantity * (exit_price - price) as cost
from outcomes
order by strategy, reserve, seq
