-- Every family is judged by all rules that were ever tried, and these are no fewer than the rules of the study.
-- table: selection_test
select tests.family, tests.measure, tests.trials, tried.trials as counted, tried.in_study
from selection_test as tests
cross join (select count(*) as trials, count_if(is_in_study) as in_study from selection_trial) as tried
where
    tests.trials <> tried.trials
    or (tests.family = 'all' and tried.in_study > tests.scenarios)
    or (tests.scenarios > 0 and tried.in_study = 0)
