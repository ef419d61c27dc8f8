-- What every asset came to session by session in studies with signals, dividends reinvested.
-- Grain: session, ticker.
-- Sources: asset_returns, signal_session, prices.
select
    asset_returns.session,
    asset_returns.ticker,
    signal_session.number,
    prices.close is not null as has_bar,
    asset_returns.price,
    max(asset_returns.price) over so_far as highest_close,
    asset_returns.simple_return,
    sum(log_growth(coalesce(asset_returns.simple_return, 0))) over so_far::double as log_level
from asset_returns
inner join signal_session using (session)
left join prices using (session, ticker)
window so_far as (partition by asset_returns.ticker order by asset_returns.session)
order by asset_returns.session, asset_returns.ticker
