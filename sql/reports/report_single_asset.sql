-- Buy-and-hold of each asset alone: did a portfolio beat its own assets?
-- Grain: ticker.
-- Sources: asset_returns, rates, study.
with
returns as (
    select
        assets.ticker,
        assets.session,
        -- Bought at the first close: nothing earned yet.
        case when assets.previous_price is null then 0 else assets.simple_return end as simple_return,
        rates.risk_free_return
    from asset_returns as assets
    inner join rates using (session)
),

growth as (
    select
        ticker,
        session,
        simple_return,
        simple_return - risk_free_return as excess_return,
        product(1 + simple_return) over (partition by ticker order by session) as twr_index
    from returns
),

falls as (
    select
        ticker,
        session,
        simple_return,
        excess_return,
        twr_index,
        drawdown(twr_index, max(twr_index) over (partition by ticker order by session)) as drawdown
    from growth
),

measured as (
    select
        falls.ticker,
        min(falls.session) as first_session,
        max(falls.session) as last_session,
        arg_max(falls.twr_index, falls.session) as growth,
        annualised_volatility(falls.simple_return, study.periods_per_year) as volatility,
        sharpe(falls.excess_return, study.periods_per_year) as sharpe,
        min(falls.drawdown) as max_drawdown
    from falls
    cross join study
    group by falls.ticker, study.periods_per_year
)

select
    ticker,
    first_session,
    last_session,
    growth - 1 as twr,
    cagr(growth, last_session - first_session) as cagr,
    volatility,
    sharpe,
    max_drawdown
from measured
order by ticker
