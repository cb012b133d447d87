"""Where the versions of tmux differ for us: all of it is here, and nowhere else.

Of a question that each version answers in its own way this knows all answers;
no other module asks for a version. Tried on 3.3a, 3.5a, 3.7c and 3.8.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# In place of a pid that tmux does not tell.
NO_PID = 0


def pane_pid(word: str) -> int:
    """The pid that ``#{pane_pid}`` stands for; `NO_PID` if it stands for none.

    Of a pane that remains after its program's end tmux tells the former pid; since
    3.8 it tells none.
    """
    return int(word) if word else NO_PID


def paste_flags(usage: str) -> str:
    """Flags of ``paste-buffer`` that have a text arrive as it is.

    Since 3.7 control characters arrive as visible text (``^X``) without ``-S``,
    which is refused before.

    Args:
        usage: What ``list-commands paste-buffer`` prints.
    """
    return "-dprS" if re.search(r"\[-\w*S", usage) else "-dpr"


def with_history_limit(
    command: Sequence[str], limit: int, default: int
) -> Sequence[str]:
    """*command*, which makes a pane, so that this keeps *limit* lines.

    A pane takes the limit that holds when it is made; since 3.7 it follows later
    changes too, so the session gets an own one besides.

    Args:
        command: Its pane is in the session that is current afterwards.
        limit: For the new pane.
        default: The server's, which holds again afterwards.
    """
    if limit == default:
        return command
    globally = ["set-option", "-g", "history-limit"]
    return [
        *(*globally, str(limit), ";"),
        *command,
        *(";", "set-option", "history-limit", str(limit)),
        *(";", *globally, str(default)),
    ]
