"""The commands, a file for each company they keep."""
