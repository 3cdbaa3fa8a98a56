"""The container that does the work of steps that do not fit a function: its image, and its program."""
