"""Figures of pytest-tmuxlife beside bare tmux, libtmux and pexpect.

Every figure is taken in the same run as those it is compared with, in turns,
so that a busy machine slows them all alike. Run as ``python -m bench``.
"""
