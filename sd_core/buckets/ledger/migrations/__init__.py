"""Changes of the ledger's tables, one file each in ``versions``, which ``ledger.store`` applies in a line."""
