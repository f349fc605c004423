"""Kedro wiring; domain code lives on the floors below."""
