"""Serving, measured beside other model servers in Python; `__main__` says how."""
