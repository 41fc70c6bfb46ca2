"""Runs every speed measurement, one after another: python -m bench."""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run each script of this folder that measures speed; the worst exit status is returned."""
    scripts = [p.stem for p in sorted(Path(__file__).parent.glob("speed_*.py"))]
    return max(
        (
            subprocess.run([sys.executable, "-m", f"bench.{s}"], check=False).returncode
            for s in scripts
        ),
        default=0,
    )


if __name__ == "__main__":
    sys.exit(main())
