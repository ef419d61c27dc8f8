-- The bank never falls below zero.
-- table: simulation_daily
select strategy, reserve, session, bank from simulation_daily where bank < -1e-6
