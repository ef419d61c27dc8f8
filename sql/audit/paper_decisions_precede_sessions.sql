-- What is decided on paper comes before the session that it is for, and its weights are of one portfolio.
-- table: paper_decision
select
    strategy,
    reserve,
    decided_session
from paper_decision
group by strategy, reserve, decided_session
having
    max(decided_session) >= min(next_session)
    or min(next_session) <> max(next_session)
    or min(recorded_at) <> max(recorded_at)
    or sum(weight) > 1 + 1e-9
