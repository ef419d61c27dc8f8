-- The formulas of the warehouse, each once. They are kept in the published file with their comments and can be used in
-- any query on it: select strategy, sharpe(excess_return, 252) from simulation_returns group by strategy.
--
-- Returns are simple and per session; standard deviations have ddof 1; NULLs are left out. A statistic without enough
-- observations is NULL: a spread below 1e-12 is the rounding of equal numbers, so there is nothing to divide by.
-- No macro calls another one, since it would not be found where the file is attached beside other databases.

create macro time_weighted_return(value, withdrawals, previous_value, deposits) as
    case
        when previous_value + deposits > 1e-6 then (value + withdrawals) / (previous_value + deposits) - 1
    end;

comment on macro time_weighted_return is
    'Return of a session without the effect of money put in or taken out: (value + withdrawals) / (previous value + '
    'deposits) - 1; NULL where there was no more than rounding leaves, 1e-6 of a currency unit, or debt alone.';

create macro growth_factor(simple_return) as
    case
        when simple_return > -1 then 1 + simple_return
        when simple_return <= -1 then 0
    end;

comment on macro growth_factor is
    '1 + return; 0 where all or more was lost, from which nothing grows again.';

create macro share_of_value(amount, value) as
    case when value > 1e-6 then amount / value end;

comment on macro share_of_value is
    'An amount over the value of a portfolio; NULL where that is no more than 1e-6 of a currency unit, or negative.';

create macro drawdown(growth, highest_growth) as
    growth / greatest(highest_growth, 1) - 1;

comment on macro drawdown is
    'Growth of 1 relative to its highest so far, the 1 at the start included, less 1; 0 or negative.';

create macro is_under_water(drawdown) as
    drawdown < -1e-12;

comment on macro is_under_water is
    'Whether growth is below its highest so far; a drawdown of no more than 1e-12 is the rounding of a product.';

create macro cagr(growth, days) as
    case when days > 0 and growth >= 0 then pow(growth, 365.25 / days) - 1 end;

comment on macro cagr is
    'Compound annual growth rate: growth of 1 over calendar days, 365.25 to the year; NULL for no days or negative '
    'growth.';

create macro in_years(days) as
    days / 365.25;

comment on macro in_years is
    'Calendar days as years of 365.25 of them.';

create macro is_of_a_year(days) as
    days >= 360;

comment on macro is_of_a_year is
    'Whether so many days from a first session to a last one are a year: 360, as between the ends of a calendar year.';

create macro per_year(amount, days) as
    amount * 365.25 / nullif(days, 0);

comment on macro per_year is
    'Amount per year of 365.25 calendar days; NULL for no days.';

create macro annualised_mean(simple_return, periods_per_year) as
    avg(simple_return) * periods_per_year;

comment on macro annualised_mean is
    'Aggregate: mean return x the periods per year, not compounded; NULL for no returns.';

create macro turnover(traded, mean_value, days) as
    traded / 2 / nullif(mean_value, 0) * 365.25 / nullif(days, 0);

comment on macro turnover is
    'Half of the worth of all purchases and sales, relative to the mean value, per year; NULL for no days or no value.';

create macro annualised_volatility(simple_return, periods_per_year) as
    stddev_samp(simple_return) * sqrt(periods_per_year);

comment on macro annualised_volatility is
    'Aggregate: standard deviation of returns (ddof 1) x square root of the periods per year; NULL for fewer than two.';

create macro sharpe(excess_return, periods_per_year) as
    case
        when stddev_samp(excess_return) > 1e-12
            then avg(excess_return) / stddev_samp(excess_return) * sqrt(periods_per_year)
    end;

comment on macro sharpe is
    'Aggregate: mean excess return / its standard deviation (ddof 1) x square root of the periods per year; NULL for '
    'fewer than two returns or equal ones.';

create macro sortino(excess_return, periods_per_year) as
    case
        when count(excess_return) >= 2 and min(excess_return) < -1e-12
            then avg(excess_return)
                -- Neither branch takes a NULL, so that it stays out of the number of sessions.
                / sqrt(avg(case when excess_return < 0 then pow(excess_return, 2) when excess_return >= 0 then 0 end))
                * sqrt(periods_per_year)
    end;

comment on macro sortino is
    'Aggregate: mean excess return / root mean square of the negative ones over all sessions x square root of the '
    'periods per year; NULL for fewer than two returns or none that is negative.';

create macro calmar(growth_rate, max_drawdown) as
    case when max_drawdown < -1e-12 then growth_rate / -max_drawdown end;

comment on macro calmar is
    'CAGR / size of the maximum drawdown; NULL without a drawdown.';

create macro value_at_risk(simple_return) as
    case when count(simple_return) >= 2 then quantile_cont(simple_return, 0.05) end;

comment on macro value_at_risk is
    'Aggregate: historical value at risk at 95 %, the 5th percentile of returns, linearly interpolated; negative for a '
    'loss; NULL for fewer than two returns.';

create macro conditional_value_at_risk(simple_return) as
    case
        when count(simple_return) >= 2
            then list_avg(
                list_filter(list(simple_return), lambda one: one <= quantile_cont(simple_return, 0.05))
            )
    end;

comment on macro conditional_value_at_risk is
    'Aggregate: conditional value at risk at 95 % or expected shortfall, the mean of the returns at or below the value '
    'at risk; negative for a loss; NULL for fewer than two returns.';

create macro beta(excess_return, benchmark_excess_return) as
    case
        when stddev_samp(case when excess_return is not null then benchmark_excess_return end) > 1e-12
            then regr_slope(excess_return, benchmark_excess_return)
    end;

comment on macro beta is
    'Aggregate: slope of the least-squares line of excess returns on those of the benchmark; NULL for fewer than two pairs '
    'or a benchmark that does not move.';

create macro jensens_alpha(excess_return, benchmark_excess_return, periods_per_year) as
    case
        when stddev_samp(case when excess_return is not null then benchmark_excess_return end) > 1e-12
            then regr_intercept(excess_return, benchmark_excess_return) * periods_per_year
    end;

comment on macro jensens_alpha is
    'Aggregate: intercept of that line, mean excess return - beta x that of the benchmark, x the periods per year, not '
    'compounded; NULL as beta.';

create macro correlation(one, other) as
    case
        when
            stddev_samp(case when other is not null then one end) > 1e-12
            and stddev_samp(case when one is not null then other end) > 1e-12
            -- Rounding may lead a hair beyond.
            then greatest(least(corr(one, other), 1), -1)
    end;

comment on macro correlation is
    'Aggregate: correlation after Pearson; NULL for fewer than two pairs or where one side does not move.';

create macro taxable_gain(own, other) as
    greatest(own + least(other, 0), 0);

comment on macro taxable_gain is
    'What is taxed of a net gain of one term, short or long, after a net loss of the other is taken off; 0 for a loss.';

create macro carried_loss(own, other) as
    least(own + greatest(other, 0), 0);

comment on macro carried_loss is
    'What is left of a net loss of one term, short or long, after a net gain of the other took it up; 0 or negative.';

create macro same_money(one, other, money := 0) as
    abs(one - other) <= 1e-9 * greatest(abs(one), abs(other), money);

comment on macro same_money is
    'Whether two amounts are the same but for rounding: to 1e-9 of the larger one, or of the money that they were reckoned '
    'from where that is given and more, since a small difference of large amounts has the rounding of these.';

create macro interval_low(outcome) as
    quantile_cont(outcome, 0.05);

comment on macro interval_low is
    'Aggregate: lower end of the interval that holds nine in ten outcomes, the 5th percentile, linearly interpolated.';

create macro interval_high(outcome) as
    quantile_cont(outcome, 0.95);

comment on macro interval_high is
    'Aggregate: upper end of the interval that holds nine in ten outcomes, the 95th percentile, linearly interpolated.';

create macro share_low(part, samples) as
    -- greatest() and least() pass NULL over.
    case when part is not null then greatest(0, (
        part + 1.920729410347062 / samples
        - 1.959963984540054 * sqrt(part * (1 - part) / samples + 0.960364705173531 / samples ^ 2)
    ) / (1 + 3.841458820694124 / samples)) end;

comment on macro share_low is
    'Lower end of the 95 % interval of a share of so many samples, the score interval after Wilson (1927).';

create macro share_high(part, samples) as
    case when part is not null then least(1, (
        part + 1.920729410347062 / samples
        + 1.959963984540054 * sqrt(part * (1 - part) / samples + 0.960364705173531 / samples ^ 2)
    ) / (1 + 3.841458820694124 / samples)) end;

comment on macro share_high is
    'Upper end of the 95 % interval of a share of so many samples, the score interval after Wilson (1927).';

create macro percentile_among(outcome, actual) as
    avg(
        case
            when abs(outcome - actual) <= 1e-9 * greatest(1, abs(actual)) then 0.5
            when outcome < actual then 1
            when outcome > actual then 0
        end
    );

comment on macro percentile_among is
    'Aggregate: where what happened lies among the bootstrap samples: the share of them below it, ties, to 1e-9, '
    'counting half. 0.5 is the median.';

create macro same_length(years, other_years) as
    abs(years - other_years) < 1 / 365.25;

comment on macro same_length is
    'Whether two times in years are the same to within a day.';

create macro yearly_lead(wealth, other_wealth, years) as
    pow(greatest(wealth, 1e-6) / greatest(other_wealth, 1e-6), 1 / nullif(years, 0)) - 1;

comment on macro yearly_lead is
    'How much faster one wealth grew than another over so many years of 365.25 days, a fraction per year: the yearly '
    'growth of their ratio. A wealth under 1e-6 of a currency unit, or a debt, counts as 1e-6. NULL for no time.';

create macro unit_of_measure(measure) as
    case measure when 'wealth' then 'fraction per year' when 'sharpe' then 'ratio' when 'max_drawdown' then 'fraction' end;

comment on macro unit_of_measure is
    'Unit of the difference between two reserves by a measure: of wealth, how much faster it grew.';

create macro paired_p_value(difference) as
    least(
        1,
        2 * (least(count(*) filter (where difference <= 1e-12), count(*) filter (where difference >= -1e-12)) + 1)
        / (count(difference) + 1)
    );

comment on macro paired_p_value is
    'Aggregate: two-sided p-value of a difference over the bootstrap samples, 2 x (samples on its rarer side of zero + '
    '1) / (samples + 1), at most 1; a tie is on both sides.';

create macro is_significant(p_value) as
    p_value <= 0.04;

comment on macro is_significant is
    'Whether a p-value, corrected for the number of verdicts, is at most 4 %, which leaves at most 5 % of false claims.';

create macro holm(p_value, place, verdicts) as
    least(1, max((verdicts - place + 1) * p_value) over (order by place));

comment on macro holm is
    'Window: a p-value corrected for the number of verdicts, given its place among them, the smallest first: it counts for '
    'as many verdicts as there are, the next for one less, none below the last (Holm 1979).';

create macro paid_in_full(paid, due) as
    paid >= due * (1 - 1e-9);

comment on macro paid_in_full is
    'Whether every withdrawal that fell due was paid, but for rounding.';

create macro left_after_tax(tax, value) as
    case when tax = 0 then 1 when tax < value then 1 - tax / value when value is not null then 0 end;

comment on macro left_after_tax is
    'Share of a value that is left after a tax; 0 where the tax is all of it or more.';

create macro judged(judge_by, cagr, sharpe, withdrawals, final_value) as
    case judge_by
        when 'cagr' then cagr
        when 'sharpe' then sharpe
        when 'withdrawals' then withdrawals
        when 'ending_value' then final_value
    end;

comment on macro judged is
    'The measure by which the study judges, of those given: the growth rate, the Sharpe ratio, what was paid of '
    'withdrawals, or the value at the end.';

create macro is_of_ledger(book) as
    book = 'live' or starts_with(book, 'paper:');

comment on macro is_of_ledger is
    'Whether a book is of the account''s ledger, the account itself or a bucket on paper, and no plan of the study.';

create macro is_twin(book) as
    starts_with(book, 'twin:');

comment on macro is_twin is
    'Whether a book is a satellite of the account, simulated.';

create macro is_daily(sessions, days, periods_per_year) as
    sessions + 2 >= 0.9 * days * periods_per_year / 365.25;

comment on macro is_daily is
    'Whether there are about as many sessions as so many days have: what is annualised from fewer is no rate.';

create macro at_least(amount, bound) as
    amount >= bound - 1e-12;

comment on macro at_least is
    'Whether a number reaches a bound, which it may miss by rounding, 1e-12.';

create macro exceeds(amount, bound) as
    amount > bound + 1e-12;

comment on macro exceeds is
    'Whether a number is above a bound by more than rounding, 1e-12.';

create macro least_squares_slope(outcome, regressor) as
    case
        when stddev_samp(regressor) filter (where outcome is not null) > 1e-12 then regr_slope(outcome, regressor)
    end;

comment on macro least_squares_slope is
    'Aggregate: slope of the least-squares line of an outcome on one regressor; NULL where that has no spread.';

create macro partial_slope(outcome, regressor, control) as
    case
        -- The plane through three points fits whatever the numbers are.
        when regr_count(outcome, regressor) filter (where control is not null) < 4
            or (stddev_samp(regressor) filter (where outcome is not null and control is not null)) <= 1e-12
            then null
        -- A control without spread is held fixed as it is.
        when (stddev_samp(control) filter (where outcome is not null and regressor is not null)) <= 1e-12
            then regr_slope(outcome, regressor) filter (where control is not null)
        -- Squares keep half the digits: beyond 1 - 1e-9 the rest is the rounding of one and the same regressor.
        when regr_r2(control, regressor) filter (where outcome is not null) < 1 - 1e-9
            then (
                regr_slope(outcome, regressor) filter (where control is not null)
                - regr_slope(outcome, control) filter (where regressor is not null)
                * regr_slope(control, regressor) filter (where outcome is not null)
            ) / (1 - regr_r2(control, regressor) filter (where outcome is not null))
    end;

comment on macro partial_slope is
    'Aggregate: slope of an outcome on a regressor with a control held fixed, that of the least-squares plane on both: '
    '(slope on the regressor - slope on the control x slope of the control on the regressor) / (1 - squared '
    'correlation of the two); NULL for fewer than four observations, and where the regressor has no spread or only '
    'moves with the control.';

create macro jackknife_error(slope) as
    case when count(slope) = count(*) and count(*) >= 2 then sqrt((count(*) - 1) * var_pop(slope)) end;

comment on macro jackknife_error is
    'Aggregate: standard error of a slope from the slopes without one of n units each: root of (n - 1) / n x their sum '
    'of squares around their mean, Tukey (1958); NULL for fewer than two, or where one of them is NULL.';

create macro is_low_cash(bank, value) as
    bank < 0.05 * value;

comment on macro is_low_cash is
    'Whether the bank is low: under 5 % of the value.';

create macro percent_text(fraction) as
    printf('%g', round(fraction * 100, 2)) || ' %';

comment on macro percent_text is
    'A fraction in words: 0.125 is "12.5 %".';

create macro is_wide_spread(highest_premium, lowest_premium) as
    highest_premium - lowest_premium > 0.15;

comment on macro is_wide_spread is
    'Whether two premiums lie over 15 points apart: a relative-value signal, since nothing says that they will meet.';

create macro same_return(one, other) as
    abs(one - other) <= 1e-9 * greatest(1, abs(other));

comment on macro same_return is
    'Whether two returns are the same but for rounding: to 1e-9, beyond 100 % to 1e-9 of them.';

create macro cash() as '(cash)';

comment on macro cash is
    'The name of the bank where assets or their classes are named; no ticker or class is written like this.';

create macro carino(portfolio_return, benchmark_return) as
    case
        when portfolio_return > -1 and benchmark_return > -1
            -- ln(u) / (u - 1) with the rounded u stays exact where the two returns are nearly or wholly the same.
            then coalesce(
                ln(1 + (portfolio_return - benchmark_return) / (1 + benchmark_return))
                / nullif(1 + (portfolio_return - benchmark_return) / (1 + benchmark_return) - 1, 0),
                1
            ) / (1 + benchmark_return)
    end;

comment on macro carino is
    'Factor that turns a difference of two returns into one of logarithms: (ln(1 + portfolio return) - ln(1 + benchmark '
    'return)) / (portfolio return - benchmark return), 1 / (1 + return) where they are the same; NULL for a total loss. '
    'Carino (1999): effects of a session x its factor / the factor of the period add up over the period.';

create macro linking_factor(portfolio_return, benchmark_return) as
    case
        when min(portfolio_return) > -1
            then carino(product(1 + portfolio_return) - 1, product(1 + benchmark_return) - 1)
    end;

comment on macro linking_factor is
    'Aggregate: the factor, after Carino, of a whole period from the returns of its sessions; NULL for a total loss.';

create macro brinson_allocation(portfolio_weight, policy_weight, policy_class_return, policy_return) as
    (portfolio_weight - policy_weight) * (policy_class_return - policy_return);

comment on macro brinson_allocation is
    'Brinson and Fachler (1985): the effect of holding more or less of a class than the policy.';

create macro brinson_selection(policy_weight, portfolio_class_return, policy_class_return) as
    policy_weight * (portfolio_class_return - policy_class_return);

comment on macro brinson_selection is
    'Brinson and Fachler (1985): the effect of other assets, or other weights of them, within a class at its policy weight.';

create macro brinson_interaction(portfolio_weight, policy_weight, portfolio_class_return, policy_class_return) as
    (portfolio_weight - policy_weight) * (portfolio_class_return - policy_class_return);

comment on macro brinson_interaction is
    'Brinson and Fachler (1985): the effect of both together, other assets within a class at another weight of the class.';

create macro profit_factor(gain) as
    sum(case when gain > 0 then gain else 0 end) / nullif(-sum(case when gain < 0 then gain else 0 end), 0);

comment on macro profit_factor is
    'Aggregate: sum of gains / size of the sum of losses; NULL without a loss.';

create macro win_rate(gain) as
    avg(case when gain > 0 then 1 when gain <= 0 then 0 end);

comment on macro win_rate is
    'Aggregate: share of gains or returns above 0; NULL for none.';

create macro rung(sd_n) as
    pow(2, 1 / sd_n) - 1;

comment on macro rung is
    'Distance of the next higher rung with sd_n equal logarithmic steps per doubling of the price.';

create macro log_growth(simple_return) as
    ln(greatest(1 + simple_return, 1e-300))::decimal(18, 15);

comment on macro log_growth is
    'Logarithm of 1 + return, to 15 decimals: sums of decimals are exact, so that windows of them give the same to the last '
    'digit however many rows there are.';

create macro exact_mean(amount) as
    sum(amount::decimal(18, 12))::double / count(amount);

comment on macro exact_mean is
    'Aggregate: mean of amounts below a million, to 12 decimals: the same to the last digit in whatever order they come.';

create macro exact_deviation(amount) as
    sqrt(
        greatest(
            count(amount) * sum(amount::decimal(18, 12) * amount::decimal(18, 12))::double
            - pow(sum(amount::decimal(18, 12))::double, 2),
            0
        ) / nullif(count(amount) * (count(amount) - 1), 0)
    );

comment on macro exact_deviation is
    'Aggregate: standard deviation (ddof 1) of amounts below a million, to 12 decimals: the same to the last digit in '
    'whatever order they come; NULL for fewer than two.';

create macro spread_of(amount, ticker, is_counted) as
    {
        assets: count(amount) filter (where is_counted),
        -- Of lists in the order of tickers, so that they do not depend on which row comes first.
        mean: list_avg(list(amount order by ticker) filter (where is_counted)),
        deviation: list_stddev_samp(list(amount order by ticker) filter (where is_counted))
    };

comment on macro spread_of is
    'Aggregate: number, mean and standard deviation (ddof 1) of the amounts of those assets that count.';

create macro z_score(amount, spread) as
    case
        when amount is null or spread.assets < 5 then null
        -- Equal values are no opinion on any asset.
        when spread.deviation <= 1e-12 then 0
        else greatest(-3, least(3, (amount - spread.mean) / spread.deviation))
    end;

comment on macro z_score is
    'How many standard deviations an amount is above the mean of the assets of its spread_of, cut at 3 either way; 0 '
    'where all are the same, NULL for fewer than five.';

create macro rank_correlation(place, other_place) as
    case
        when count(place) >= 5 and min(place) < max(place) and min(other_place) < max(other_place)
            -- Roots may be a hair too small.
            then greatest(-1, least(
                1,
                (count(place) * sum(place * other_place) - sum(place) * sum(other_place))::double
                / sqrt((count(place) * sum(place * place) - sum(place) * sum(place))::double)
                / sqrt((count(place) * sum(other_place * other_place) - sum(other_place) * sum(other_place))::double)
            ))
    end;

comment on macro rank_correlation is
    'Aggregate: rank correlation after Spearman, given both places as whole numbers, mean places of ties doubled: sums of '
    'whole numbers are exact in any order. NULL for fewer than five pairs, or where one side has one place.';

create macro newey_west_t(amounts, lags) as
    case
        when len(amounts) >= 24 and list_stddev_samp(amounts) > 1e-12
            then list_avg(amounts) / list_transform(
                [list_transform(amounts, lambda one: one - list_avg(amounts))],
                lambda centred: sqrt(
                    list_inner_product(centred, centred) + 2 * list_sum(list_transform(
                        range(1, lags + 1),
                        lambda lag: (1 - lag / (lags + 1))
                            * list_inner_product(centred[:len(centred) - lag], centred[1 + lag:])
                    ))
                ) / len(centred)
            )[1]
    end;

comment on macro newey_west_t is
    't statistic of the mean of a list, in order, by the standard error of Newey and West (1987) with so many lags and '
    'Bartlett''s weights, uncorrected for small samples; NULL for fewer than 24 or equal ones.';

create macro warehouse_layout() as 1;

comment on macro warehouse_layout is
    'What a release must know to read this file: raised when a table or a column that commands read is renamed or removed.';
