"""From forecasts to weights, trades and returns."""
