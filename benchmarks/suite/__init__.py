"""What asv runs; see ``benchmarks/README.md``."""

import sys
from pathlib import Path

# asv imports this folder alone; the floor and the peer lie beside it.
sys.path.append(str(Path(__file__).resolve().parent.parent))
