"""The commit of the code."""

import subprocess
from pathlib import Path


def code_commit() -> str:
    """The commit of this code, with ``-dirty`` where its files were changed; "" without git."""
    file = Path(__file__)
    git = ["git", "-C", str(file.parent)]
    # Installed below somebody else's repository, this file is not one of its own.
    own = [*git, "ls-files", "--error-unmatch", file.name]
    name = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        subprocess.run(own, check=True, capture_output=True)
        return subprocess.run(name, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
