-- Every order on paper belongs to a decision, and sells no more than it holds.
-- table: paper_order
select
    orders.strategy,
    orders.reserve,
    orders.decided_session,
    orders.place
from paper_order as orders
left join paper_decision as decision using (strategy, reserve, decided_session, ticker)
where decision.weight is null
