"""Names of jobs, groups and tags, which assets and schedules share."""

REFRESH = "refresh"
RESERVE_QUESTION = "reserve_question"
MODELS_GROUP = "models"
# Which process works on a run from the command line.
PROCESS_TAG = "sdlab/process"
