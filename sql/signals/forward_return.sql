-- What followed on each decision: returns of assets and cash from the close after it on.
-- Grain: session, ticker, horizon.
-- Sources: signal_session, asset_level.
with
decided as (
    select
        session,
        number,
        unnest([1, 5, 21, 63, 126]) as horizon
    from signal_session
    where is_decision
)

select
    decided.session,
    assets.ticker,
    decided.horizon::bigint as horizon,
    ending.session as ended_session,
    case when bought.has_bar then exp(ended.log_level - bought.log_level) - 1 end as simple_return,
    exp(ending.log_cash - beginning.log_cash) - 1 as cash_return
from decided
cross join (select distinct ticker from asset_level) as assets
left join asset_level as bought
    on assets.ticker = bought.ticker and decided.number + 1 = bought.number
left join asset_level as ended
    on assets.ticker = ended.ticker and decided.number + 1 + decided.horizon = ended.number
left join signal_session as beginning on decided.number + 1 = beginning.number
left join signal_session as ending on decided.number + 1 + decided.horizon = ending.number
order by decided.session, assets.ticker, decided.horizon
