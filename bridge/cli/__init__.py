"""The command line: what an engineer types."""
