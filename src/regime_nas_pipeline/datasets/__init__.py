"""Kedro datasets: where prices come in and where run facts live."""
