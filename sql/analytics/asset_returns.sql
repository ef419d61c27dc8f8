-- What every asset of the universe was worth at every session, and what it returned since the last one.
-- Grain: session, ticker.
-- Sources: sessions, study_asset, prices.
with
marks as (
    select
        sessions.session,
        study_asset.ticker,
        -- An asset without a bar keeps its last close.
        last_value(prices.close ignore nulls) over (
            partition by study_asset.ticker order by sessions.session
        ) as price,
        coalesce(prices.dividend, 0) as dividend
    from sessions
    cross join study_asset
    left join prices on sessions.session = prices.session and study_asset.ticker = prices.ticker
),

steps as (
    select
        session,
        ticker,
        price,
        lag(price) over (partition by ticker order by session) as previous_price,
        dividend
    from marks
)

select
    session,
    ticker,
    price,
    previous_price,
    dividend,
    (price + dividend) / previous_price - 1 as simple_return
from steps
order by session, ticker
