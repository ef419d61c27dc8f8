-- Summary of the correlations of the last 63 sessions over the universe as a whole.
-- Grain: session.
-- Sources: lake.correlation_summary.
select
    session,
    assets::bigint as assets,
    average_correlation,
    average_within_crypto,
    average_within_traditional,
    average_crypto_to_traditional,
    diversification_ratio,
    absorption_ratio
from lake.correlation_summary
order by session
