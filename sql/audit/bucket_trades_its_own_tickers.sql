-- A bucket of a plan books nothing of a ticker that is not its own.
-- table: bucket_ledger
select
    ledger.book,
    ledger.seq,
    ledger.bucket,
    ledger.ticker,
    study_bucket.tickers
from bucket_ledger as ledger
left join study_bucket on ledger.book = study_bucket.plan and ledger.bucket = study_bucket.bucket
left join study_asset on ledger.ticker = study_asset.ticker
where
    ledger.ticker is not null
    and not is_of_ledger(ledger.book)
    and case
        when ledger.bucket = 'core' then study_asset.ticker is not null
        else list_contains(string_split(study_bucket.tickers, ', '), ledger.ticker)
    end is not true
