"""Runs in a pane: prints a mark with the time at which it was printed.

    python printer.py FIFO

Each order that is read from FIFO is a number and a pause in milliseconds. The
orders do not come by the terminal, so nothing is echoed.
"""

import os
import select
import sys
import time


def main() -> None:
    orders = os.open(sys.argv[1], os.O_RDONLY)
    os.write(1, b"printer ready\n")
    while order := os.read(orders, 64):
        number, pause = map(int, order.split())
        select.select([], [], [], pause / 1000)
        os.write(1, b"mark-%d-%d-end\n" % (number, time.monotonic_ns()))


if __name__ == "__main__":
    main()
