"""The engine on Ray: the only folder of the engine that imports it."""
