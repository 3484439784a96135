"""Results on disk: what is stored, how it is written, what is finished, where it comes from."""
