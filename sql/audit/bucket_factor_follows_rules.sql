-- Levels and factor of a satellite are those of its share, its drawdown and what else holds at the close.
-- table: bucket_daily
with
asked as (
    select
        daily.book,
        daily.bucket,
        daily.session,
        daily.share,
        daily.target,
        daily.drawdown,
        daily.share_level,
        daily.drawdown_level,
        daily.cooldown,
        daily.reawakening,
        daily.regime_factor,
        daily.factor,
        daily.status,
        daily.reasons,
        greatest(0.4 * daily.target, study_bucket.min_pct) as lowest_share,
        string_split(coalesce(daily.reasons, ''), ', ') as listed
    from bucket_daily as daily
    inner join study_bucket on daily.book = study_bucket.plan and daily.bucket = study_bucket.bucket
    where daily.bucket <> 'core'
),
expected as (
    select
        *,
        case
            when not at_least(share, lowest_share) then 0
            when at_least(share / target, 1) then 1
            when at_least(share / target, 0.8) then 0.8
            when at_least(share / target, 0.6) then 0.6
            else 0.4
        end as expected_share_level,
        case
            when at_least(drawdown, 0.35) then 0
            when at_least(drawdown, 0.25) then 0.3
            when at_least(drawdown, 0.15) then 0.7
            else 1
        end as expected_drawdown_level,
        case
            when
                status <> 'active'
                or list_has_any(listed, ['halt', 'block', 'status', 'overdrawn', 'lock', 'high_volatility'])
                then 0
            else
                least(
                    least(1, least(share_level, drawdown_level) * cooldown * reawakening) * regime_factor,
                    case when list_contains(listed, 'test') then 0.25 else 1 end
                )
        end as expected_factor
    from asked
)
select * from expected
where
    share_level <> expected_share_level
    or drawdown_level <> expected_drawdown_level
    or abs(factor - expected_factor) > 1e-12
