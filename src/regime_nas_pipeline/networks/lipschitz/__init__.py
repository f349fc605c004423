"""Upper bounds on how steeply a network's forecast can react to its inputs, and their enforcement.

All bounds are in the Euclidean norm of flattened inputs and outputs and are computed in float64
from exact singular values. A layer without a finite bound is given as infinity, never as a guess.
"""
