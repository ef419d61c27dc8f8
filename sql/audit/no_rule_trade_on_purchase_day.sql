-- The rule trades from the session after the first purchase on.
-- table: simulation_ledger
select strategy, reserve, seq, session, kind
from simulation_ledger
where
    (kind = 'INITIAL_BUY') != (session = (select min(session) from simulation_daily as day
        where day.strategy = simulation_ledger.strategy and day.reserve = simulation_ledger.reserve))
