"""The other process: evaluation, proposals, limits. Imports neither Ray nor studies, to start fast."""
