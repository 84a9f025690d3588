"""Benchmarks: `make bench`, `make bench SIZE=100000`; absolute times are of this machine, ratios are what counts."""
