"""Names of jobs, groups and tags, which assets and schedules share."""

REFRESH = "refresh"
RESERVE_QUESTION = "reserve_question"
MARK_ACCOUNT = "mark_account"
RECONCILE_ACCOUNT = "reconcile_account"
EVALUATE_ACCOUNT = "evaluate_account"
LAND_ACCOUNT = "land_account"
PROPOSE_ORDERS = "propose_orders"
SEND_EXITS = "send_exits"
# The step that makes all tables; no other step reads what it leaves.
WAREHOUSE_STEP = "warehouse"
NIGHTLY_REFRESH = "nightly_refresh"
RUN_FAILED = "run_failed"
MODELS_GROUP = "models"
ACCOUNT_GROUP = "account"
# Which process works on a run from the command line.
PROCESS_TAG = "sdlab/process"
# Held in a study's Dagster home while its page is served.
SERVED_LOCK = ".ui.lock"
