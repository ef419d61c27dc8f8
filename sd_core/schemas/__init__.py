"""The published tables: one declaration each, from which their checks, types, comments and documentation come.

A declaration says what a table holds. How it is computed belongs in ``sql``; rules that compare rows or tables (keys,
sums, identities) belong to the audit in ``pipelines``.
"""

from sd_core.schemas.analytics import ANALYTICS
from sd_core.schemas.attribution import ATTRIBUTION
from sd_core.schemas.bucket_reports import BUCKET_REPORTS
from sd_core.schemas.correlation import CORRELATION
from sd_core.schemas.factors import REPORT_FACTOR
from sd_core.schemas.mixes import REPORT_MIX
from sd_core.schemas.reports import REPORTS
from sd_core.schemas.signals import SIGNALS
from sd_core.schemas.staging import STAGING
from sd_core.schemas.stress import STRESS
from sd_core.schemas.table import Table
from sd_core.schemas.withdrawals import WITHDRAWALS

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        *STAGING,
        *ANALYTICS,
        *CORRELATION,
        *SIGNALS,
        *REPORTS,
        *WITHDRAWALS,
        *ATTRIBUTION,
        *BUCKET_REPORTS,
        REPORT_MIX,
        *STRESS,
        REPORT_FACTOR,
    )
}

__all__ = ["TABLES", "Table"]
