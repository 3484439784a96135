"""Self-contained pages: what is shown of results in a browser, and the scripts that live in them."""
