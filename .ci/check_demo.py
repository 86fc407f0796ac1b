"""Refuse a demo that learns less than the README promises."""

import json
import sys
from pathlib import Path

metrics = json.loads((Path(sys.argv[1]) / "metrics.json").read_text())
print(f"demo: accuracy {metrics['accuracy']:.3f}, kappa {metrics['quadratic_kappa']:.3f}")
sys.exit(metrics["accuracy"] < 0.80 or metrics["quadratic_kappa"] < 0.85)
