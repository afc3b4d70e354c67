"""The command `pipeline`."""

import os
import signal
import sys

from ._pipeline import run


def main():
    # The program hears Ctrl-C itself, and stops where nothing is lost.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = run(["pipeline", *sys.argv[1:]])
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
