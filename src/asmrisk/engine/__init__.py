"""The engine: what is missing of a run is computed, block by block, on threads, processes or a cluster."""
