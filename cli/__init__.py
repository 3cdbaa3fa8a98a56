"""The `modelcycle` command: works on the local cloud, a LocalStack or AWS."""
