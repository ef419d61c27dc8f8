-- What every purchase refused for lack of cash would have gained until its sale, or until now.
-- Grain: strategy, reserve, seq.
-- Sources: simulation_daily, study_strategy, prices, asset_returns, lake.simulation_ledger, lake.simulation_partition.
with
refusals as (
    select
        ledger.strategy,
        ledger.reserve,
        ledger.seq::bigint as seq,
        ledger.session,
        ledger.ticker,
        ledger.skipped_quantity as quantity,
        ledger.price,
        ledger.sale_limit,
        ledger.bank_after as bank,
        study_strategy.rule_path as path,
        study_strategy.costs_fixed + study_strategy.costs_bps / 10000 * (ledger.skipped_quantity * ledger.price) as fee,
        coalesce(study_strategy.rule_margin_limit, 0) as margin_limit
    from lake.simulation_ledger as ledger
    inner join lake.simulation_partition as stored using (strategy, reserve)
    inner join study_strategy using (strategy)
    where stored.is_current and ledger.kind = 'SKIP_BUY'
),

-- Without those that the bank covered, with the credit on the last close: a band refused them.
skips as (
    select
        refusals.strategy,
        refusals.reserve,
        refusals.seq,
        refusals.session,
        refusals.ticker,
        refusals.quantity,
        refusals.price,
        refusals.sale_limit,
        refusals.path
    from refusals
    asof inner join simulation_daily as before
        on refusals.strategy = before.strategy
        and refusals.reserve = before.reserve
        and refusals.session > before.session
    -- The tolerance with which the simulation takes a purchase for covered.
    where refusals.quantity * refusals.price + refusals.fee > refusals.bank + refusals.margin_limit * before.value + 1e-9
),

sales as (
    select skips.strategy, skips.reserve, skips.seq, min(prices.session) as sale_session
    from skips
    inner join prices
        on skips.ticker = prices.ticker
        and skips.session < prices.session
        -- The tolerance with which the simulation takes a limit for reached.
        and skips.sale_limit * (1 - 1e-12) <= case when skips.path = 'close_only' then prices.close else prices.high end
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
