"""What `status` says of a place: one file for each part that may be unwell, and `check`, which asks them all."""
