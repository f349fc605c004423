"""Run a job again on altered prices, and show that nothing it says of the past has changed."""
