"""How good regime labels are, judged without trading on them."""
