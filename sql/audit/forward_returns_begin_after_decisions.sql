-- What followed on a decision is reckoned from the close of the session after it, the first at which it can be traded.
-- table: forward_return
with
numbered as (
    select session, row_number() over (order by session) as number from sessions
),
steps as (
    select
        forward_return.session,
        forward_return.ticker,
        forward_return.horizon,
        forward_return.ended_session,
        forward_return.simple_return,
        numbered.number + 1 + unnest(range(1, forward_return.horizon + 1)) as number
    from forward_return
    inner join numbered using (session)
),
grown as (
    select
        steps.session,
        steps.ticker,
        steps.horizon,
        any_value(steps.simple_return) as simple_return,
        any_value(steps.ended_session) as ended_session,
        max(numbered.session) as last_session,
        count(asset_returns.simple_return) as returns,
        product(1 + asset_returns.simple_return) - 1 as expected
    from steps
    left join numbered using (number)
    left join asset_returns
        on numbered.session = asset_returns.session and steps.ticker = asset_returns.ticker
    group by all
)
select session, ticker, horizon, ended_session, last_session, simple_return, expected
from grown
where
    (ended_session is not null) <> (returns = horizon)
    or ended_session <> last_session
    or (simple_return is not null and ended_session is null)
    or abs(simple_return - expected) > 1e-9 * (1 + abs(expected))
