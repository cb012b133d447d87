"""Runs in a pane: prints a mark, and reports the time right after the write.

    python late_printer.py ORDERS REPORTS

Each order that is read from the FIFO ORDERS is a kind, a number and a pause in
milliseconds; the time goes to the FIFO REPORTS, in ns of the monotonic clock.
"""

import os
import select
import sys
import time

_BURST = b"".join(b"line %d of a burst\n" % number for number in range(200))
_MUCH = b"".join(b"%062d\r\n" % number for number in range(1 << 14))
_MEGABYTES = 50
_LINES_APART = 0.01


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def print_mark(kind: str, mark: bytes) -> None:
    if kind == "tty":
        fd = os.open("/dev/tty", os.O_WRONLY)
        os.write(fd, mark)
        os.close(fd)
        return
    if kind == "burst":
        write_all(1, _BURST)
    elif kind == "much":
        for _ in range(_MEGABYTES):
            write_all(1, _MUCH)
    elif kind == "lines":
        for number in range(500):
            os.write(1, b"line %d\n" % number)
            select.select([], [], [], _LINES_APART)
    write_all(1, mark)


def main() -> None:
    orders = os.open(sys.argv[1], os.O_RDONLY)
    reports = os.open(sys.argv[2], os.O_RDWR)
    os.write(1, b"printer ready\n")
    while order := os.read(orders, 64).decode():
        kind, number, pause = order.split()
        select.select([], [], [], int(pause) / 1000)
        print_mark(kind, b"mark-%s-end\n" % number.encode())
        os.write(reports, b"%d\n" % time.monotonic_ns())


if __name__ == "__main__":
    main()
