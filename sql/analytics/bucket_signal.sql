-- What the signal of every satellite says about each of its tickers at the close of every session.
-- Grain: plan, bucket, session, ticker.
-- Sources: sessions, satellite_prices, study, lake.study_bucket.
--
-- The numbers of a session are the same to the last bit whatever comes later: means and deviations are taken of lists,
-- in their order, as those of a sliding window depend on how many rows there are.
with
-- The rules' bounds, and the window of a dip in sessions. The other windows are in the names of the columns.
rules as (
    select
        63 as dip_window,
        1.5 as deep_dip,
        1.5 as calm_dip,
        0.9 as near_high,
        0.003 as least_yield,
        3 as soonest_ex_date,
        10 as latest_ex_date,
        sqrt(periods_per_year) as periods
    from study
),

calendar as (
    select
        session,
        coalesce(
            date_trunc('month', session) <> date_trunc('month', lag(session) over (order by session)), false
        ) as begins_month
    from sessions
),

traded as (
    select
        study_bucket.plan,
        study_bucket.bucket,
        unnest(study_bucket.tickers) as ticker,
        study_bucket.signal,
        study_bucket.dip_depth,
        case study_bucket.signal
            when 'breakout' then study_bucket.breakout_window
            when 'dip' then rules.dip_window
        end as high_window
    from lake.study_bucket as study_bucket
    cross join rules
    -- A twin trades on what is said of its satellite in the account.
    where study_bucket.position > 0 and not is_twin(study_bucket.plan)
),

tickers as (
    select distinct ticker from traded
),

marks as (
    select
        calendar.session,
        calendar.begins_month,
        tickers.ticker,
        satellite_prices.close is not null as has_bar,
        -- A ticker without a bar keeps its last close.
        last_value(satellite_prices.close ignore nulls) over (
            partition by tickers.ticker order by calendar.session
        ) as close
    from calendar
    cross join tickers
    left join satellite_prices
        on calendar.session = satellite_prices.session and tickers.ticker = satellite_prices.ticker
),

changes as (
    select
        session,
        begins_month,
        ticker,
        has_bar,
        close,
        lag(close) over by_ticker as previous_close,
        close / lag(close) over by_ticker - 1 as change,
        -- Closes so far, this one included: what a window can hold.
        row_number() over by_ticker as closes
    from marks
    where close is not null
    window by_ticker as (partition by ticker order by session)
),

windows as (
    select
        session,
        begins_month,
        ticker,
        has_bar,
        close,
        previous_close,
        closes,
        close / lag(close, 21) over by_ticker - 1 as return_21,
        close / lag(close, 63) over by_ticker - 1 as return_63,
        close / lag(close, 252) over by_ticker - 1 as return_252,
        case when closes >= 252 then max(close) over last_252 end as highest_close_252,
        list(close) over last_200 as last_closes,
        list(change) over last_252 as last_changes
    from changes
    window
        by_ticker as (partition by ticker order by session),
        last_200 as (partition by ticker order by session rows between 199 preceding and current row),
        last_252 as (partition by ticker order by session rows between 251 preceding and current row)
),

measured as (
    select
        windows.session,
        windows.begins_month,
        windows.ticker,
        windows.has_bar,
        windows.close,
        windows.previous_close,
        windows.closes,
        windows.return_21,
        windows.return_63,
        windows.return_252,
        windows.highest_close_252,
        case when windows.closes >= 200 then list_avg(windows.last_closes) end as mean_close_200,
        case when windows.closes > 21 then list_stddev_samp(windows.last_changes[-21:]) * rules.periods end
            as volatility_21,
        case when windows.closes > 63 then list_stddev_samp(windows.last_changes[-63:]) * rules.periods end
            as volatility_63,
        case when windows.closes > 252 then list_stddev_samp(windows.last_changes) * rules.periods end
            as volatility_252
    from windows
    cross join rules
),

paid as (
    select
        ticker,
        session as ex_date,
        dividend,
        lag(dividend) over by_ticker as second_last,
        lag(dividend, 2) over by_ticker as third_last,
        date_diff('day', lag(session) over by_ticker, session) as gap
    from satellite_prices
    where dividend > 0
    window by_ticker as (partition by ticker order by session)
),

projected as (
    select
        ticker,
        ex_date,
        dividend,
        case
            when third_last is not null
                then at_least(dividend / second_last, 1) and at_least(second_last / third_last, 1)
        end as is_dividend_kept,
        case
            when third_last is not null
                -- The first of all has no gap, which the median leaves out.
                then ex_date + cast(floor(list_median(list(gap) over last_four) + 0.5) as integer)
        end as next_ex_date
    from paid
    window last_four as (partition by ticker order by ex_date rows between 3 preceding and current row)
),

inputs as (
    select
        traded.plan,
        traded.bucket,
        traded.signal,
        traded.dip_depth,
        measured.session,
        measured.begins_month,
        measured.ticker,
        measured.has_bar,
        measured.close,
        measured.previous_close,
        measured.closes,
        measured.return_21,
        measured.return_63,
        measured.return_252,
        measured.highest_close_252,
        measured.mean_close_200,
        measured.volatility_21,
        measured.volatility_63,
        measured.volatility_252,
        case
            when measured.closes > traded.high_window
                then max(measured.close) over (
                    partition by traded.plan, traded.bucket, traded.ticker
                    order by measured.session
                    rows between coalesce(traded.high_window, 1) preceding and 1 preceding
                )
        end as highest_before,
        median(measured.return_63) over of_bucket as median_return_63,
        median(measured.volatility_63) over of_bucket as median_volatility_63,
        projected.dividend as last_dividend,
        projected.is_dividend_kept,
        projected.next_ex_date
    from measured
    inner join traded on measured.ticker = traded.ticker
    asof left join projected on measured.ticker = projected.ticker and measured.session >= projected.ex_date
    window of_bucket as (partition by traded.plan, traded.bucket, measured.session)
),

-- A window that is not full is NULL, and so is what is asked of it.
judged as (
    select
        inputs.plan,
        inputs.bucket,
        inputs.session,
        inputs.ticker,
        inputs.has_bar,
        inputs.close,
        inputs.highest_before,
        inputs.mean_close_200,
        inputs.highest_close_252,
        inputs.return_21,
        inputs.return_63,
        inputs.return_252,
        inputs.median_return_63,
        inputs.volatility_21,
        inputs.volatility_63,
        inputs.volatility_252,
        inputs.median_volatility_63,
        inputs.last_dividend,
        inputs.is_dividend_kept,
        inputs.next_ex_date,
        inputs.signal,
        inputs.begins_month,
        exceeds(inputs.close / inputs.mean_close_200, 1) as is_above_mean,
        case inputs.signal
            when 'breakout' then exceeds(inputs.close / inputs.highest_before, 1)
            when 'dip'
                then
                    at_least(1 - inputs.close / inputs.highest_before, inputs.dip_depth)
                    and exceeds(inputs.close / inputs.previous_close, 1)
            when 'steady'
                then
                    inputs.begins_month
                    and exceeds(inputs.close / inputs.mean_close_200, 1)
                    and at_least(inputs.median_volatility_63, inputs.volatility_63)
            when 'ex_dividend'
                then
                    date_diff('day', inputs.session, inputs.next_ex_date)
                    between rules.soonest_ex_date and rules.latest_ex_date
                    and at_least(inputs.last_dividend / inputs.close, rules.least_yield)
        end as is_asked_for,
        case inputs.signal
            when 'breakout'
                then [
                    exceeds(inputs.return_63, 0),
                    at_least(inputs.return_63, inputs.median_return_63),
                    at_least(inputs.volatility_252, inputs.volatility_21)
                ]
            when 'dip'
                then [
                    exceeds(inputs.return_252, 0),
                    at_least(1 - inputs.close / inputs.highest_before, rules.deep_dip * inputs.dip_depth),
                    at_least(rules.calm_dip * inputs.volatility_252, inputs.volatility_21)
                ]
            when 'steady'
                then [
                    exceeds(inputs.return_63, 0),
                    exceeds(inputs.return_252, 0),
                    exceeds(inputs.close / inputs.highest_close_252, rules.near_high),
                    at_least(inputs.volatility_252, inputs.volatility_21)
                ]
            when 'ex_dividend'
                then [
                    inputs.is_dividend_kept,
                    exceeds(inputs.return_21, 0),
                    at_least(inputs.volatility_252, inputs.volatility_21)
                ]
        end as confirmations,
        case inputs.signal
            when 'breakout' then -inputs.return_63
            when 'dip' then inputs.close / inputs.highest_before - 1
            when 'steady' then inputs.volatility_63
            when 'ex_dividend' then -inputs.last_dividend / inputs.close
        end as entry_order
    from inputs
    cross join rules
)

select
    plan,
    bucket,
    session,
    ticker,
    has_bar,
    close,
    highest_before,
    mean_close_200,
    highest_close_252,
    return_21,
    return_63,
    return_252,
    median_return_63,
    volatility_21,
    volatility_63,
    volatility_252,
    median_volatility_63,
    last_dividend,
    is_dividend_kept,
    next_ex_date,
    has_bar and coalesce(is_asked_for, false) as is_entry,
    (
        len(list_filter(confirmations, lambda holds: holds))
        -- Of the steady signal the mean is no confirmation, since its entry asks for it.
        + case when signal <> 'steady' and is_above_mean then 1 else 0 end
    ) / 4 as conviction,
    entry_order,
    signal = 'steady' and begins_month and coalesce(not is_above_mean, false) as is_exit
from judged
order by plan, bucket, session, ticker
