"""The `modelcycle` command: what a person types, on a laptop, against any of the three places."""
