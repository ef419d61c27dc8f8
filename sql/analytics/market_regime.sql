-- The regime of the market at every session, from the benchmark's past alone, with its inputs.
-- Grain: session.
-- Sources: benchmark_daily, study, lake.variance_state.
with
-- The rules' windows in sessions.
rules as (
    select
        200 as mean_window,
        63 as return_window,
        21 as volatility_window,
        periods_per_year,
        5 * periods_per_year as years_window
    from study
),

numbered as (
    select
        session,
        close,
        simple_return,
        -- Sessions with a close so far: what a window of closes can hold.
        count(close) over (order by session) as closes
    from benchmark_daily
),

windows as (
    select
        numbered.session,
        numbered.close,
        case
            when numbered.closes >= rules.mean_window
                then avg(numbered.close) over (
                    order by numbered.session rows between rules.mean_window - 1 preceding and current row
                )
        end as mean_close_200,
        numbered.close / lag(numbered.close, rules.return_window) over (order by numbered.session) - 1 as return_63,
        case
            when numbered.closes > rules.volatility_window
                then stddev_samp(numbered.simple_return) over (
                    order by numbered.session rows between rules.volatility_window - 1 preceding and current row
                ) * sqrt(rules.periods_per_year)
        end as volatility_21,
        rules.periods_per_year,
        rules.years_window
    from numbered
    cross join rules
),

thresholds as (
    select
        session,
        close,
        mean_close_200,
        return_63,
        volatility_21,
        case
            when count(volatility_21) over last_years >= periods_per_year
                then quantile_cont(volatility_21, 0.8) over last_years
        end as volatility_p80
    from windows
    window last_years as (order by session rows between years_window - 1 preceding and current row)
)

select
    thresholds.session,
    thresholds.close,
    thresholds.mean_close_200,
    thresholds.return_63,
    thresholds.volatility_21,
    thresholds.volatility_p80,
    case
        when thresholds.mean_close_200 is null or thresholds.return_63 is null or thresholds.volatility_p80 is null
            then null
        when thresholds.volatility_21 > thresholds.volatility_p80 then 'high_volatility'
        when thresholds.close > thresholds.mean_close_200 and thresholds.return_63 > 0 then 'bull'
        when thresholds.close < thresholds.mean_close_200 and thresholds.return_63 < 0 then 'bear'
        else 'sideways'
    end as regime,
    variance_state.high_variance_probability
from thresholds
left join lake.variance_state using (session)
order by thresholds.session
