"""Architecture search: space, supernet, strategies, ledger."""
