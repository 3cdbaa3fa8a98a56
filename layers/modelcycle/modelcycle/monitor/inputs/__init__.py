"""Whether a window's inputs, predictions and outcomes are those of the reference, and which columns are wrong."""
