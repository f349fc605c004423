"""Economics of a result, from what the evaluation writes down: costs, capacity, periods, sources.

Nothing here trades again: every figure follows from the tables of weights, decisions and returns.
"""
