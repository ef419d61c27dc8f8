-- How far the dearest asset is above the cheapest, each measured by its own highest close: a relative-value signal.
-- Grain: session.
-- Sources: prices, sessions, study_asset.
with
premiums as (
    select
        prices.session,
        prices.ticker,
        study_asset.position,
        prices.close / max(prices.close) over (
            partition by prices.ticker order by prices.session
            rows between unbounded preceding and 1 preceding
        ) - 1 as premium
    from prices
    inner join sessions using (session)
    inner join study_asset using (ticker)
    where prices.close is not null
),

extremes as (
    select
        session,
        -- The first of the universe where two are equal.
        arg_max(ticker, (premium, -position)) as highest_ticker,
        max(premium) as highest_premium,
        arg_min(ticker, (premium, position)) as lowest_ticker,
        min(premium) as lowest_premium
    from premiums
    where premium is not null
    group by session
)

select
    session,
    highest_ticker,
    highest_premium,
    lowest_ticker,
    lowest_premium,
    highest_premium - lowest_premium as spread,
    is_wide_spread(highest_premium, lowest_premium) as is_opportunity
from extremes
order by session
