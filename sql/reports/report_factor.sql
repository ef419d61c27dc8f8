-- What known factors explain of every scenario's excess return, and what is left.
-- Grain: strategy, reserve.
-- Sources: lake.factor_fit.
with
placed as (
    select
        strategy,
        reserve,
        frequency,
        first_session,
        last_session,
        observations,
        lag,
        alpha,
        alpha_low,
        alpha_high,
        alpha_t,
        r_squared,
        residual_volatility,
        mean_excess_return,
        p_value,
        count(p_value) over () as verdicts,
        row_number() over (order by p_value nulls last, strategy, reserve) as place,
        missing
    from lake.factor_fit
),

corrected as (
    select
        strategy,
        reserve,
        holm(p_value, place, verdicts) as p_value_holm
    from placed
)

select
    placed.strategy,
    placed.reserve,
    placed.frequency,
    placed.first_session,
    placed.last_session,
    placed.observations,
    placed.lag,
    placed.alpha,
    placed.alpha_low,
    placed.alpha_high,
    placed.alpha_t,
    placed.r_squared,
    placed.residual_volatility,
    placed.mean_excess_return,
    placed.p_value,
    case when placed.p_value is not null then corrected.p_value_holm end as p_value_holm,
    placed.verdicts,
    case
        when placed.p_value is null then null
        when is_significant(corrected.p_value_holm) then if(placed.alpha > 0, 'above', 'below')
        else 'not significant'
    end as verdict,
    placed.missing
from placed
inner join corrected using (strategy, reserve)
order by placed.strategy, placed.reserve
