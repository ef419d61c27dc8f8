-- What signals have predicted: how their values went with the returns that followed, by horizon.
-- Grain: signal, horizon.
-- Sources: signal, signal_ic, lake.study_signal.
with
changes as (
    select
        session,
        signal,
        percentile,
        -- Every asset has a row at every decision.
        lag(percentile) over (partition by signal, ticker order by session) as percentile_before
    from signal
),

steps as (
    select
        session,
        signal,
        avg(abs(percentile - percentile_before)) as turnover,
        correlation(percentile, percentile_before) as with_before
    from changes
    group by session, signal
),

steadiness as (
    select
        signal,
        avg(turnover) as rank_turnover,
        avg(with_before) as with_before
    from steps
    group by signal
),

series as (
    select
        signal,
        horizon,
        min(session) filter (where coefficient is not null) as first_session,
        max(session) filter (where coefficient is not null) as last_session,
        count(coefficient) as decisions,
        avg(assets) filter (where coefficient is not null) as mean_assets,
        list(coefficient order by session) filter (where coefficient is not null) as coefficients,
        list(spread order by session) filter (where spread is not null) as spreads,
        avg((coefficient > 0)::integer) as hit_rate,
        greatest(3, ceil(horizon / 21))::bigint as lags
    from signal_ic
    group by signal, horizon
),

measured as (
    select
        signal,
        horizon,
        first_session,
        last_session,
        decisions,
        mean_assets,
        coefficients,
        spreads,
        hit_rate,
        lags,
        newey_west_t(coefficients, lags) as t_statistic,
        newey_west_t(spreads, lags) as spread_t_statistic
    from series
)

select
    measured.signal,
    coalesce(study_signal.kind, measured.signal) as kind,
    measured.horizon,
    measured.first_session,
    measured.last_session,
    measured.decisions,
    measured.mean_assets,
    list_avg(measured.coefficients) as mean_coefficient,
    list_stddev_samp(measured.coefficients) as coefficient_deviation,
    measured.t_statistic,
    measured.lags,
    measured.hit_rate,
    list_avg(measured.spreads) as mean_spread,
    measured.spread_t_statistic,
    steadiness.rank_turnover,
    case
        when steadiness.with_before > 0 and steadiness.with_before < 1 - 1e-12
            then ln(0.5) / ln(steadiness.with_before)
    end as half_life,
    case when abs(measured.t_statistic) >= 3 then 'predicts' else 'cannot tell' end as verdict
from measured
inner join steadiness using (signal)
left join lake.study_signal as study_signal using (signal)
order by measured.signal, measured.horizon
