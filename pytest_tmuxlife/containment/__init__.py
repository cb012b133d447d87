"""Where processes live and cannot get lost.

Names are not handed on here: the helper processes import this folder's
modules one by one, and each that they do not need would cost memory.
"""
