"""The programs that fivefold is measured against, each in a file of its own and used as its users would."""
