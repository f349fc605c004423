"""Forecasters under one contract; see :mod:`regime_nas_pipeline.forecasters.base`."""
