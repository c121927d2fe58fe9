"""The door to Ray: the only folder of the engine that imports it."""
