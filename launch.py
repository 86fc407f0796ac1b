"""hairjax from the command line of a checkout; installed, the command ``hairjax`` does the same."""

import os
import sys

if __name__ == "__main__":
    try:
        from hairjax.__main__ import start
    except KeyboardInterrupt:  # which `start` answers from then on
        os.write(2, b"stopped by Ctrl-C\n")
        os._exit(130)
    sys.exit(start())

from hairjax.cli.main import main as main
