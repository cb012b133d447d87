"""Where the versions of tmux differ for us: all of it is here, and nowhere else.

Of a question that each version answers in its own way this knows all answers;
no other module asks for a version. Tried on 3.3a, 3.5a, 3.7c and 3.8.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_tmuxlife.terminal.tmux.version import parse_version

KEY_QUESTION = "#{version} #{extended-keys}"
# Since then mostly a modifier for which there is no code is left out.
_LEAVES_OUT = (3, 5)
_NO_CONTROL = frozenset('"$%&*{|}~')
_NO_CONTROL_SINCE = frozenset({*"#$%&*", "BSpace", "Escape"})
_NO_CONTROL_META = frozenset(
    {
        *"!\"#$%&'()*+,-./0123456789:;<=>`{|}~",
        "BSpace",
        "BTab",
        "Enter",
        "Escape",
        "Tab",
    }
)
_NO_SHIFT = frozenset({"BSpace", "BTab", "Enter", "Escape", "Space", "Tab"})
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


def lacks_code(modifiers: str, base: str) -> bool:
    """The terminal's code for a key may not exist: ask `KEY_QUESTION`."""
    return any(_lacks_code(modifiers, base, is_new=new) for new in (False, True))


def is_typed_as_text(modifiers: str, base: str, answer: str) -> bool:
    """Tmux has no code for the key and types its name.

    With ``extended-keys`` the program decides, which is left to it.

    Args:
        modifiers: Some of ``CMS``.
        base: What they modify.
        answer: Of tmux to `KEY_QUESTION`.
    """
    version, _, extended = answer.strip().partition(" ")
    is_new = (parse_version(version) or _LEAVES_OUT) >= _LEAVES_OUT
    return extended == "off" and _lacks_code(modifiers, base, is_new=is_new)


def _lacks_code(modifiers: str, base: str, *, is_new: bool) -> bool:
    control, meta = "C" in modifiers, "M" in modifiers
    if is_new:
        return control and base in _NO_CONTROL_SINCE
    if "S" in modifiers:
        return base in _NO_SHIFT or (len(base) == 1 and base.isascii())
    return control and base in (_NO_CONTROL_META if meta else _NO_CONTROL)
