"""Delivery: one release, taken from stack to stack, and asked in each whether it works (docs/delivery.md)."""
