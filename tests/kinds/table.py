"""All rows, from the modules that group them."""

from __future__ import annotations

from kinds import clean, daemons, launchers, own
from kinds.model import Kind, Twin

KINDS: tuple[Kind, ...] = (*own.KINDS, *daemons.KINDS, *launchers.KINDS)
TWINS: tuple[Twin, ...] = clean.TWINS
