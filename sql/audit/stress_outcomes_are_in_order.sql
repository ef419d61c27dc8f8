-- Every stress of a mix has an outcome between its ends, or says why not; higher correlations make no mix calmer.
-- table: stress_mix
select
    mix,
    stress,
    mix_return,
    mix_return_low,
    mix_return_high,
    volatility,
    stressed_volatility,
    missing
from stress_mix
where
    (missing is null) = (mix_return is null and stressed_volatility is null)
    or exceeds(mix_return_low, mix_return)
    or exceeds(mix_return, mix_return_high)
    or exceeds(volatility, stressed_volatility)
