"""Regime-aware neural architecture search, judged against simpler forecasters.

The package holds a Kedro project (``pipelines``, ``datasets``, ``hooks``) around a library that
knows nothing of Kedro (``market``, ``networks``, ``forecasters``, ``portfolio``, ...).
"""

__version__ = "0.1.0"
