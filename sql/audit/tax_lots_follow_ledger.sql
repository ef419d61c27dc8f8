-- Each purchase and each sale of the ledger is in tax lots, with all its shares and all its money.
-- table: simulation_tax_lots
with
trades as (
    select
        ledger.strategy,
        ledger.reserve,
        ledger.seq,
        ledger.ticker,
        ledger.session,
        ledger.quantity,
        ledger.amount
    from simulation_ledger as ledger
    inner join lake.simulation_partition as stored using (strategy, reserve)
    where ledger.quantity is not null and stored.has_tax_lots
),
parts as (
    select strategy, reserve, purchase_seq as seq, ticker, acquired as session, quantity, -cost as amount
    from simulation_tax_lots
    union all
    select strategy, reserve, sale_seq as seq, ticker, sold as session, -quantity as quantity, proceeds as amount
    from simulation_tax_lots
    where sale_seq is not null
),
sums as (
    select strategy, reserve, seq, ticker, session, sum(quantity) as quantity, sum(amount) as amount
    from parts
    group by all
)
select
    strategy,
    reserve,
    seq,
    ticker,
    session,
    trades.quantity,
    sums.quantity as quantity_in_tax_lots,
    trades.amount,
    sums.amount as amount_in_tax_lots
from trades
full join sums using (strategy, reserve, seq, ticker, session)
where
    (abs(trades.quantity - sums.quantity) <= 1e-6 * abs(trades.quantity)) is not true
    or same_money(sums.amount, trades.amount) is not true
