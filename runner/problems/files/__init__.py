"""Files of objectives: modules, their imports, and their data."""
