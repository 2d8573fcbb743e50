"""Fault experiments: real processes that race, are killed and come back. `make chaos` runs the full sizes.

What is not here: anything that the product needs.
"""
