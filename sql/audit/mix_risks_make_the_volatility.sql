-- What the assets contribute to a mix's expected volatility adds up to it.
-- table: mix_fit
select
    mix_fit.mix,
    mix_fit.decided_session,
    mix_fit.expected_volatility,
    sum(mix_weight.risk_contribution) as added_up
from mix_fit
left join mix_weight using (mix, decided_session)
group by all
having
    (expected_volatility is null) <> (added_up is null)
    or count(mix_weight.risk_contribution) not in (0, count(*))
    or abs(expected_volatility - added_up) > 1e-9
