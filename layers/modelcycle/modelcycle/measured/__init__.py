"""The metrics of a model on rows whose outcome is known, with their 95 % intervals: of test rows, and of live ones."""
