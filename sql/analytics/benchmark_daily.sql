-- The benchmark session by session: a ticker, or the universe bought in equal parts and held.
-- Grain: session.
-- Sources: sessions, prices, study, study_asset.
with
members as (
    select benchmark as ticker from study where benchmark <> 'universe'
    union all
    select study_asset.ticker from study_asset cross join study where study.benchmark = 'universe'
),

closes as (
    select
        sessions.session,
        members.ticker,
        last_value(prices.close ignore nulls) over (partition by members.ticker order by sessions.session) as close,
        prices.close is not null as has_close,
        -- A ticker that has no bar any more is no benchmark any more; an asset that is held keeps its last worth.
        study.benchmark <> 'universe' and sessions.session > max(
            case when prices.close is not null then sessions.session end
        ) over (partition by members.ticker) as is_over,
        coalesce(prices.dividend, 0) as dividend
    from sessions
    cross join members
    cross join study
    left join prices on sessions.session = prices.session and members.ticker = prices.ticker
),

steps as (
    select
        session,
        ticker,
        case when not is_over then close end as close,
        has_close,
        -- A dividend buys more of what paid it, at the close of its day.
        (close + dividend) / lag(close) over (partition by ticker order by session) as growth
    from closes
),

holdings as (
    select
        session,
        close,
        has_close,
        first_value(close ignore nulls) over (partition by ticker order by session) as first_close,
        case
            when close is not null
                then exp(sum(log_growth(coalesce(growth, 1) - 1)) over (partition by ticker order by session)::double)
        end as level
    from steps
),

benchmark as (
    select
        holdings.session,
        case
            when study.benchmark = 'universe' then avg(holdings.close / holdings.first_close)
            else any_value(holdings.close)
        end as close,
        bool_or(holdings.has_close) as has_close,
        -- Sums of decimals are exact, so that a level is the same to the last digit however many sessions follow.
        sum(holdings.level::decimal(38, 15))::double / count(holdings.level) as level
    from holdings
    cross join study
    group by holdings.session, study.benchmark
)

select
    session,
    close,
    has_close,
    level,
    level / lag(level) over (order by session) - 1 as simple_return
from benchmark
order by session
