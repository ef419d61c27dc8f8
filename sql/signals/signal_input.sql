-- What signals are made of: measures of every asset at the close of the last session of each month.
-- Grain: session, ticker.
-- Sources: asset_level, signal_session, prices, study.
--
-- The numbers of a session are the same to the last bit whatever comes later: the rows of each decision are grouped, and
-- sums are of decimals, which are exact in any order.
with
decided as (
    select
        session,
        number,
        log_cash - lag(log_cash, 252) over (order by number) as log_cash_252,
        log_benchmark - lag(log_benchmark, 126) over (order by number) as log_benchmark_126,
        is_decision
    from signal_session
),

-- A window of 252 returns, each with how many sessions ago it was.
places as (
    select
        session,
        unnest(range(252)) as ago,
        number - unnest(range(252)) as number
    from decided
    where is_decision and number > 252
),

windows as (
    select
        places.session,
        asset_level.ticker,
        count(asset_level.ticker) filter (where asset_level.has_bar) as bars,
        count(asset_level.ticker) filter (where asset_level.has_bar and asset_level.simple_return <> 0) as moves,
        exact_deviation(least(asset_level.simple_return, 999999)) as deviation_252,
        exact_mean(case when places.ago < 63 then asset_level.log_level end) as mean_63,
        exact_deviation(case when places.ago < 63 then asset_level.log_level end) as deviation_63
    from places
    inner join asset_level using (number)
    group by places.session, asset_level.ticker
),

levels as (
    select
        session,
        ticker,
        number,
        has_bar,
        price / highest_close - 1 as drawdown,
        log_level,
        lag(log_level, 21) over by_ticker as log_level_21,
        lag(log_level, 126) over by_ticker as log_level_126,
        lag(log_level, 252) over by_ticker as log_level_252
    from asset_level
    window by_ticker as (partition by ticker order by number)
),

paid as (
    select
        ticker,
        session as ex_date,
        date_diff('day', lag(session) over by_ticker, session) as gap,
        row_number() over by_ticker as place
    from prices
    where dividend > 0 and exists (select session from signal_session)
    window by_ticker as (partition by ticker order by session)
),

projected as (
    select
        ticker,
        ex_date,
        -- The first of all has no gap, which the median leaves out.
        case when place >= 3 then list_median(list(gap) over last_eight) end as gap
    from paid
    window last_eight as (partition by ticker order by ex_date rows between 7 preceding and current row)
)

select
    levels.session,
    levels.ticker,
    coalesce(
        levels.has_bar
        and windows.bars >= 0.9 * 252
        and windows.moves >= 0.5 * windows.bars
        and windows.deviation_252 > 1e-6,
        false
    ) as is_investable,
    exp(levels.log_level_21 - levels.log_level_252) - 1 as momentum,
    exp(levels.log_level - levels.log_level_252) - 1 as return_252,
    exp(levels.log_level - levels.log_level_21) - 1 as return_21,
    exp(decided.log_cash_252) - 1 as cash_return_252,
    exp(levels.log_level - levels.log_level_126 - decided.log_benchmark_126) - 1 as relative_return_126,
    windows.deviation_252 * sqrt(study.periods_per_year) as volatility_252,
    case
        when windows.deviation_63 > 1e-9 then (levels.log_level - windows.mean_63) / windows.deviation_63
    end as distance_63,
    levels.drawdown,
    projected.ex_date,
    projected.gap as ex_gap
from levels
inner join decided on levels.session = decided.session and decided.is_decision
left join windows on levels.session = windows.session and levels.ticker = windows.ticker
asof left join projected on levels.ticker = projected.ticker and levels.session >= projected.ex_date
cross join study
order by levels.session, levels.ticker
