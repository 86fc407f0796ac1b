"""Git commit of the code."""

import subprocess
from pathlib import Path


def code_commit() -> str:
    """Commit of this code, with ``-dirty`` if files changed; "" outside git."""
    file = Path(__file__)
    git = ["git", "-C", str(file.parent)]
    # Installed inside another repository, this file is untracked.
    own = [*git, "ls-files", "--error-unmatch", file.name]
    name = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        subprocess.run(own, check=True, capture_output=True)
        return subprocess.run(name, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
