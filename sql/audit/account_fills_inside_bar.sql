-- No fill of an account lies outside the bar of its day by more than a hundredth, where that bar is known.
-- table: bucket_ledger
--
-- Bars that the source has rescaled since, for a split, are not those of the day: a fill a third or more away from its
-- bar's close is taken for one of these. A hundredth is what venues and hours outside the session account for.
with
bars as (
    select session, ticker, low, high, close
    from prices
    union
    select session, ticker, low, high, close
    from satellite_prices
),
compared as (
    select
        ledger.book,
        ledger.seq,
        ledger.bucket,
        ledger.ticker,
        ledger.price,
        bars.low,
        bars.high,
        ledger.price / bars.close as of_close
    from bucket_ledger as ledger
    inner join bars on ledger.effective = bars.session and ledger.ticker = bars.ticker
    where is_of_ledger(ledger.book) and ledger.kind in ('BUY', 'SELL') and bars.low is not null
)
select * from compared
where
    of_close between 2 / 3 and 3 / 2
    and (price < 0.99 * low or price > 1.01 * high)
