-- Every bucket of every book over its whole period: growth, risk, its trades, and how it is at the last close.
-- Grain: book, bucket.
-- Sources: bucket_returns, bucket_daily, bucket_trade, study.
with
performance as (
    select
        returns.book,
        returns.bucket,
        annualised_volatility(returns.simple_return, study.periods_per_year) as volatility,
        -- Without the rate of every session they would be of some of them alone.
        count(returns.excess_return) = count(returns.simple_return) as has_rates,
        sharpe(returns.excess_return, study.periods_per_year) as sharpe,
        sortino(returns.excess_return, study.periods_per_year) as sortino,
        min(returns.drawdown) as max_drawdown,
        case
            when returns.bucket <> 'core' then correlation(returns.simple_return, cores.simple_return)
        end as correlation_with_core
    from bucket_returns as returns
    left join bucket_returns as cores
        on returns.book = cores.book and returns.session = cores.session and cores.bucket = 'core'
    cross join study
    group by returns.book, returns.bucket, study.periods_per_year
),

peaks as (
    select
        book,
        bucket,
        session,
        peak is distinct from lag(peak) over (partition by book, bucket order by session) as is_new
    from bucket_daily
),

highs as (
    select
        book,
        bucket,
        max(session) filter (where is_new) as peak_session
    from peaks
    group by book, bucket
),

days as (
    select
        book,
        bucket,
        count(session) as sessions,
        min(session) as first_session,
        max(session) as last_session,
        max(session) - min(session) as days,
        sum(open_flows + close_flows) as net_flows,
        arg_max(value, session) as final_value,
        arg_max(share, session) as share,
        arg_max(target, session) as target,
        arg_max(twr_index, session) as growth,
        avg(share_of_value(cash, value)) as mean_cash_share,
        avg((status = 'active')::integer) as active_share,
        arg_max(drawdown, session) as drawdown_now,
        -- What is NULL at the last session must not give way to what an earlier one has.
        max_by(struct_pack(status := status, factor := factor, reasons := reasons, losses := losses), session) as last
    from bucket_daily
    group by book, bucket
),

trades as (
    select
        book,
        bucket,
        count(closed) as trades,
        count(trade) - count(closed) as open_positions,
        count(closed) filter (where outcome = 'win') as wins,
        count(closed) filter (where outcome = 'loss') as losses,
        avg(trade_return) filter (where outcome = 'win') as mean_win,
        avg(trade_return) filter (where outcome = 'loss') as mean_loss,
        max(trade_return) as best_trade,
        min(trade_return) as worst_trade,
        profit_factor(proceeds + dividends - cost) as profit_factor,
        avg(closed - opened) filter (where outcome = 'win') as mean_days_of_wins,
        avg(closed - opened) filter (where outcome = 'loss') as mean_days_of_losses,
        avg(is_on_strategy::integer) as adherence
    from bucket_trade
    group by book, bucket
)

select
    days.book,
    days.bucket,
    days.first_session,
    days.last_session,
    is_of_a_year(days.days) as is_of_a_year,
    days.net_flows,
    days.final_value,
    days.final_value - days.net_flows as profit,
    days.share,
    days.target,
    days.growth - 1 as twr,
    cagr(days.growth, days.days) as cagr,
    case when is_daily(days.sessions, days.days, study.periods_per_year) then performance.volatility end as volatility,
    case
        when performance.has_rates and is_daily(days.sessions, days.days, study.periods_per_year) then performance.sharpe
    end as sharpe,
    case
        when performance.has_rates and is_daily(days.sessions, days.days, study.periods_per_year) then performance.sortino
    end as sortino,
    performance.max_drawdown,
    calmar(cagr, performance.max_drawdown) as calmar,
    performance.correlation_with_core,
    days.mean_cash_share,
    days.active_share,
    case when days.bucket <> 'core' then coalesce(trades.trades, 0) end as trades,
    case when days.bucket <> 'core' then coalesce(trades.open_positions, 0) end as open_positions,
    case when days.bucket <> 'core' then coalesce(trades.wins, 0) end as wins,
    case when days.bucket <> 'core' then coalesce(trades.losses, 0) end as losses,
    trades.wins / nullif(trades.trades, 0) as win_rate,
    trades.mean_win,
    trades.mean_loss,
    trades.best_trade,
    trades.worst_trade,
    trades.profit_factor,
    trades.mean_days_of_wins,
    trades.mean_days_of_losses,
    trades.adherence,
    days.last.status as status,
    days.drawdown_now,
    highs.peak_session,
    days.last.factor as factor,
    days.last.reasons as reasons,
    days.last.losses as losses_in_a_row
from days
inner join performance using (book, bucket)
inner join highs using (book, bucket)
cross join study
left join trades using (book, bucket)
order by days.book, days.bucket
