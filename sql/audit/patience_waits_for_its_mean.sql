-- Under patience nothing is rebalanced before its price has come back to its mean, unless its deadline may have come.
-- table: simulation_ledger
with
-- Bands and premium spreads trade under the same kinds, and do not wait.
patient as (
    select
        strategy,
        rebalance_patience_sessions as longest,
        rebalance_patience_mean as closes
    from study_strategy
    where
        rebalance_patience_sessions is not null
        and coalesce(band_width, band_default_width, premium_spread) is null
        and band_edges is null
),
known as (
    select
        sessions.session,
        study_asset.ticker,
        row_number() over by_session as number,
        last_value(prices.close ignore nulls) over by_session as close
    from sessions
    cross join study_asset
    left join prices using (session, ticker)
    where exists (from patient)
    window by_session as (partition by study_asset.ticker order by sessions.session)
),
-- What was known before the session: its number counts from 1.
before as (
    select
        patient.strategy,
        known.session,
        known.ticker,
        known.number > patient.closes as is_known,
        known.number > patient.longest + 1 as may_be_late,
        lag(known.close) over by_session as close,
        avg(known.close) over (
            partition by patient.strategy, known.ticker order by known.session
            rows between patient.closes preceding and 1 preceding
        ) as mean
    from patient
    cross join known
    window by_session as (partition by patient.strategy, known.ticker order by known.session)
)
select
    ledger.strategy,
    ledger.reserve,
    ledger.seq
from simulation_ledger as ledger
inner join simulation_partition using (strategy, reserve)
inner join before using (strategy, session, ticker)
where
    simulation_partition.is_current
    and ledger.kind in ('REBALANCE_SELL', 'REBALANCE_BUY')
    and not before.may_be_late
    and not (
        before.is_known
        and case
            when ledger.quantity < 0 then before.close <= before.mean * (1 + 1e-9)
            else before.close >= before.mean * (1 - 1e-9)
        end
    )
