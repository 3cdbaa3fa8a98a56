"""Tables and queries of a database. (The rows follow in the next commit.)"""
