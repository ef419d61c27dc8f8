"""The segments of sweeps: what the lake keeps of scenarios that keep their metrics alone, many rows to a file."""

import pyarrow as pa

from sd_core.schemas import TABLES

SWEEPS = "sweeps"

METRICS_SCHEMA: pa.Schema = TABLES["simulation_metrics"].arrow_schema
SEGMENT: pa.Schema = pa.schema(
    [
        *METRICS_SCHEMA,
        pa.field("capital", pa.float64()),
        pa.field("prices_version", pa.string()),
        pa.field("study_hash", pa.string()),
        pa.field("engine_version", pa.string()),
        pa.field("metrics_version", pa.string()),
        # What buy-and-hold was simulated on and by; the sessions from which scenarios are compared with it; the sums.
        pa.field("against", pa.string()),
        pa.field("compared_from", pa.list_(pa.int32())),
        pa.field("sums", pa.list_(pa.float64())),
        # Rows of other tables, by their names, in JSON.
        pa.field("beside", pa.string()),
    ]
)
