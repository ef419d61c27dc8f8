-- A satellite's levels and factor are what its share, drawdown, status, locks, stage and regime make of them.
-- table: bucket_daily
with
inputs as (
    select
        bucket_daily.book,
        bucket_daily.bucket,
        bucket_daily.session,
        bucket_daily.share_level,
        bucket_daily.drawdown_level,
        bucket_daily.cooldown,
        bucket_daily.reawakening,
        bucket_daily.regime_factor,
        bucket_daily.factor,
        bucket_daily.drawdown,
        bucket_daily.share,
        bucket_daily.share / bucket_daily.target as of_target,
        greatest(0.4 * bucket_daily.target, study_bucket.min_pct) as share_floor,
        -- What an account was set to then, and what a person or its broker did, is known by the reasons alone.
        is_of_ledger(bucket_daily.book) as is_of_account,
        case
            when is_of_account then regexp_matches(coalesce(bucket_daily.reasons, ''), '\b(halt|block|status)\b')
            else bucket_daily.status <> 'active'
        end as is_not_active,
        case
            when is_of_account then contains(coalesce(bucket_daily.reasons, ''), 'overdrawn')
            else bucket_daily.cash < -1e-6
        end as is_overdrawn,
        case when is_of_account and contains(coalesce(bucket_daily.reasons, ''), 'boost') then 1.5 else 1 end as boost,
        coalesce(bucket_daily.locked_until > bucket_daily.session, false) as is_locked,
        coalesce(bucket_daily.locked_until <= bucket_daily.session, false) as is_testing,
        coalesce(bucket_daily.cooldown_until > bucket_daily.session, false) as is_cooling,
        bucket_daily.stage,
        study_bucket.signal,
        study_bucket.toggle_regime as follows_regime,
        case
            when is_of_account then contains(coalesce(bucket_daily.reasons, ''), 'high_volatility')
            else study_bucket.toggle_high_volatility and coalesce(market_regime.regime = 'high_volatility', false)
        end as is_paused,
        coalesce(market_regime.regime, 'unknown') as regime
    from bucket_daily
    inner join study_bucket on bucket_daily.book = study_bucket.plan and bucket_daily.bucket = study_bucket.bucket
    left join market_regime on bucket_daily.session = market_regime.session
    where study_bucket.position > 0
),
expected as (
    select
        *,
        case
            when is_of_account then share_level
            when not at_least(share, share_floor) then 0
            when at_least(of_target, 1) then 1
            when at_least(of_target, 0.8) then 0.8
            when at_least(of_target, 0.6) then 0.6
            else 0.4
        end as expected_share_level,
        case
            when at_least(drawdown, 0.35) then 0
            when at_least(drawdown, 0.25) then 0.3
            when at_least(drawdown, 0.15) then 0.7
            else 1
        end as expected_drawdown_level,
        case when is_cooling then 0.75 else 1 end as expected_cooldown,
        (stage + 1) / 4 as expected_reawakening,
        case
            when is_of_account then regime_factor
            when not follows_regime or regime in ('unknown', 'bull') then 1
            when signal = 'breakout' then case regime when 'bear' then 0 else 0.5 end
            when regime = 'sideways' then 1
            when signal = 'dip' and regime = 'bear' then 0.25
            else 0.5
        end as expected_regime_factor
    from inputs
),
factors as (
    select
        *,
        case
            when is_not_active or is_overdrawn or is_locked or is_paused then 0
            else least(
                least(
                    1,
                    least(expected_share_level, expected_drawdown_level)
                    * expected_cooldown
                    * expected_reawakening
                    * boost
                ) * expected_regime_factor,
                case when is_testing then 0.25 else 1 end
            )
        end as expected_factor
    from expected
)
select
    book,
    bucket,
    session,
    share_level,
    expected_share_level,
    drawdown_level,
    expected_drawdown_level,
    cooldown,
    expected_cooldown,
    reawakening,
    expected_reawakening,
    regime_factor,
    expected_regime_factor,
    factor,
    expected_factor
from factors
where
    (
        same_return(share_level, expected_share_level)
        and same_return(drawdown_level, expected_drawdown_level)
        and same_return(cooldown, expected_cooldown)
        and same_return(reawakening, expected_reawakening)
        and same_return(regime_factor, expected_regime_factor)
        and same_return(factor, expected_factor)
    ) is not true
