-- Where the profit of every satellite came from, by what it traded.
-- Grain: book, bucket, ticker.
-- Sources: bucket_trade, satellite_prices, bucket_balance.
with
last_closes as (
    select
        ticker,
        arg_max(close, session) as close
    from satellite_prices
    where close is not null
    group by ticker
),

-- What an account holds is worth what it was marked at last.
marked as (
    select
        book,
        bucket,
        unit as ticker,
        price
    from bucket_balance
    where not is_currency
),

trades as (
    select
        trade.book,
        trade.bucket,
        trade.ticker,
        trade.closed - trade.opened as days,
        trade.closed,
        trade.outcome,
        trade.trade_return,
        -- What is open is worth its last close.
        coalesce(
            trade.proceeds,
            trade.quantity * case when is_of_ledger(trade.book) then marked.price else last_closes.close end
        ) + trade.dividends - trade.cost as gain
    from bucket_trade as trade
    left join last_closes using (ticker)
    left join marked using (book, bucket, ticker)
)

select
    book,
    bucket,
    ticker,
    count(closed) as trades,
    count(ticker) - count(closed) as open_positions,
    count(closed) filter (where outcome = 'win') as wins,
    count(closed) filter (where outcome = 'loss') as losses,
    coalesce(sum(gain), 0) as profit,
    coalesce(sum(gain) filter (where closed is null), 0) as open_profit,
    avg(trade_return) as mean_return,
    max(trade_return) as best_return,
    min(trade_return) as worst_return,
    avg(days) as mean_days_held
from trades
group by book, bucket, ticker
order by book, bucket, ticker
