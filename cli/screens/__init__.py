"""The screens of the command line, one file each. They show recorded values only."""
