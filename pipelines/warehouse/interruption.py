"""How DuckDB reports Ctrl-C, which only its message identifies."""

# The message of the RuntimeError in which a query ends that was interrupted.
QUERY_INTERRUPTED = "Query interrupted"
