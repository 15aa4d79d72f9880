"""Layers without parameters: functions, shapes, order."""
