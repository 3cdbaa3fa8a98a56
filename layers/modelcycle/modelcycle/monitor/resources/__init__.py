"""What the requests of a version take: time, memory, errors and their price."""
