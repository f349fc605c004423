"""Regime labellers under one contract."""
