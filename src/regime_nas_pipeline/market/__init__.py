"""What a market is: validated prices, a causal view of them, and features."""
