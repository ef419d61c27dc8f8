-- Where the profit of every satellite came from, by what it traded.
-- Grain: book, bucket, ticker.
-- Sources: bucket_trade, bucket_daily, satellite_prices, bucket_balance, bucket_ledger.
with
-- A twin ends with the last mark of its satellite, which may be before the last price.
ends as (
    select book, max(session) as session
    from bucket_daily
    where not is_of_ledger(book)
    group by book
),

last_closes as (
    select
        ends.book,
        prices.ticker,
        arg_max(prices.close, prices.session) as close
    from ends
    inner join satellite_prices as prices on ends.session >= prices.session
    where prices.close is not null
    group by ends.book, prices.ticker
),

-- What an account holds of a position is worth what it was marked at last; a part may have been sold.
marked as (
    select
        book,
        bucket,
        unit as ticker,
        amount * price as worth
    from bucket_balance
    where not is_currency
),

sold as (
    select
        ledger.book,
        ledger.bucket,
        ledger.ticker,
        sum(ledger.amount) as proceeds
    from bucket_ledger as ledger
    inner join bucket_trade as trade
        on
            ledger.book = trade.book
            and ledger.bucket = trade.bucket
            and ledger.ticker = trade.ticker
            and ledger.effective >= trade.opened
    where is_of_ledger(ledger.book) and ledger.kind = 'SELL' and trade.closed is null
    group by ledger.book, ledger.bucket, ledger.ticker
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
            case
                when is_of_ledger(trade.book) then marked.worth + coalesce(sold.proceeds, 0)
                else trade.quantity * last_closes.close
            end
        ) + trade.dividends - trade.cost as gain
    from bucket_trade as trade
    left join last_closes using (book, ticker)
    left join marked using (book, bucket, ticker)
    left join sold using (book, bucket, ticker)
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
