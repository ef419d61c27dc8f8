-- Alpha and the contributions of all factors add up to the mean excess return.
-- table: report_factor
with
explained as (
    select
        strategy,
        reserve,
        sum(contribution) as contributions
    from factor_exposure
    group by strategy, reserve
)

select
    fit.strategy,
    fit.reserve,
    fit.alpha,
    explained.contributions,
    fit.mean_excess_return
from report_factor as fit
left join explained using (strategy, reserve)
where fit.missing is null and same_return(fit.alpha + explained.contributions, fit.mean_excess_return) is not true
