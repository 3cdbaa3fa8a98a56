"""What the text of one cell means: missing, a number, true or false, a date."""
