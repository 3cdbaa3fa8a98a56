"""Becomes the program of a container, which gets SIGTERM when the emulator ends, also if that is killed.

python -I -S start_container.py PYTHON PROGRAM
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); it holds over `exec`


def main() -> None:
    """Ask Linux for the signal, and execute the program here."""
    python, program = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.execv(python, [python, "-s", "-S", program])  # noqa: S606 - this program becomes the container's


if __name__ == "__main__":
    main()
