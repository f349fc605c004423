"""Run a job again: on altered prices, and on simulated ones.

On altered prices its past must not change; on simulated ones nothing (or a known edge) is to be
found.
"""
