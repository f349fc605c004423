"""How much of one index to hold, decided by regimes or by volatility, and what that earns."""
