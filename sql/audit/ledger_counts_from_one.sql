-- The ledger's rows are numbered from 1 without gaps, in the order of sessions and legs.
-- table: simulation_ledger
with
neighbours as (
    select
        strategy,
        reserve,
        seq,
        row_number() over scenario as expected_seq,
        (session, leg) < lag((session, leg)) over scenario as out_of_order
    from simulation_ledger
    window scenario as (partition by strategy, reserve order by seq)
)
select * from neighbours where seq != expected_seq or out_of_order
