"""Simulated markets with planted regimes: how much of the best possible forecast is reached."""
