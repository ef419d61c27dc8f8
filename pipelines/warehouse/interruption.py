"""What DuckDB makes of Ctrl-C, for those who have to know it by its words."""

# The message of the RuntimeError in which a query ends that was interrupted.
QUERY_INTERRUPTED = "Query interrupted"
