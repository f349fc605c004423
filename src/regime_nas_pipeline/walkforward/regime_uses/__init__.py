"""What regime labels are worth inside the comparison of forecasters, use by use."""
