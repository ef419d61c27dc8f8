-- Nothing is sold that is not held.
-- table: simulation_ledger
with
running as (
    select
        strategy,
        reserve,
        ticker,
        seq,
        sum(quantity) over (partition by strategy, reserve, ticker order by seq) as holdings,
        sum(greatest(quantity, 0)) over (partition by strategy, reserve, ticker order by seq) as bought
    from simulation_ledger
    where quantity is not null
)
select * from running where holdings < -1e-9 * bought
