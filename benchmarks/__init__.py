"""Benchmarks, and the sequential reference that they measure against."""
