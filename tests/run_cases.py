"""Commands whose output is known byte for byte: written by hand, and generated.

Each belongs to a class: ``equal``, or what the terminal does not keep of it.
"""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_SGR = re.compile(r"\x1b\[[0-9;:]*m")


@dataclass(frozen=True)
class Case:
    """A command, its class, and what `Pane.run` gives of what it prints.

    Attributes:
        kind: Name of the class.
        command: As it is typed.
        shown: The output, without the sign for what cannot be shown; None if it
            follows from the bytes that are printed.
    """

    kind: str
    command: str
    shown: str | None = None

    @property
    def ends_rows(self) -> bool:
        """Its output ends with a newline."""
        return self.command.endswith("\\n'")

    def expected(self, printed: bytes, *, keeps_tabs: bool) -> str:
        """What `Pane.run` gives of *printed*."""
        if self.shown is not None:
            return self.shown
        text = printed.decode()
        if self.kind == "tabs" and not keeps_tabs:
            return text.expandtabs()
        return _SGR.sub("", text) if self.kind == "colours" else text


EQUAL = (
    "echo one",
    "echo",
    "true",
    ":",
    "echo 'two  blanks'",
    "printf 'no newline'",
    "printf '\\n'",
    "printf '\\n\\n\\n'",
    "printf 'a\\n\\n\\nb\\n'",
    "printf '  both  \\n'",
    "printf '   '",
    "printf 'trailing   \\n   leading'",
    "printf 'é 日本 ok\\n'",
    "printf '日本語日本語'",
    "printf 'e\\314\\201 combined\\n'",
    "seq 1 200",
    "seq -s, 1 400",
    "seq 1 3 | paste -sd+",
    'echo "$((6 * 7))"',
    "echo a; echo b; echo c",
    "for i in 1 2 3; do echo $i; done",
    "if true; then echo yes; else echo no; fi",
    "while read -r x; do echo \"<$x>\"; done <<'E'\none\n  two\nE",
    "cat <<'E'\nfirst\n\n  third\nE",
    "cat <<'E' | tr a-z A-Z\nabc\nE",
    'f() { echo "$# $1"; }; f x y; f',
    "printf '%s\\n' a 'b c' ''",
    "printf '%5d|%-5d|\\n' 42 42",
    "printf '%080d\\n' 7",
    "printf '%0160d\\n' 7",
    "printf '%0161d\\n' 7",
    "printf '%081d' 7",
    "printf '%080d' 7",
    "printf '%080d\\n%080d\\n' 1 2",
    "yes | head -n 30",
    "yes '' | head -n 30",
    "echo '[ab12:3]$ '",
    "echo '$PS1 #{pane_id} ~'",
    "echo '\\\\'",
    "echo '%s %d %%'",
    "echo 'a;b' ;",
    "echo err >&2",
    "echo out; echo err >&2",
    "(exit 3); echo $?",
    "sh -c 'echo child; exit 4'; echo $?",
    "echo x | cat -A",
    "head -c 5000 /dev/zero | tr '\\0' y",
    "head -c 5000 /dev/zero | tr '\\0' z; echo",
    "echo one \\\ntwo",
    "echo 'quoted\nacross lines'",
)

BY_HAND = (
    Case("cleared", "echo gone; printf '\\033[H\\033[2J\\033[3J'; echo left", "left\n"),
    Case("cleared", "seq 3; printf '\\033[H\\033[J\\033[3Jtop\\n'", "top\n"),
    Case(
        "alternate screen",
        "echo a; printf '\\033[?1049hinside\\033[?1049l'; echo b",
        "a\nb\n",
    ),
    Case("alternate screen", "printf '\\033[?1049h\\033[5;5Hfull\\033[?1049l'", ""),
    Case("overwritten", "printf '10%%\\r100%%\\n'", "100%\n"),
    Case("overwritten", "printf 'longer\\rshort\\n'", "shortr\n"),
    Case("overwritten", "printf 'a\\r\\nb\\r\\n'", "a\nb\n"),
    Case("overwritten", "printf 'abd\\bc\\n'", "abc\n"),
    Case("overwritten", "printf 'one\\033[1Dx\\n'", "onx\n"),
    Case("overwritten", "printf 'two\\nlines\\033[1A\\rT\\n\\n'", "Two\nlines\n"),
    Case("erased", "printf 'longer\\r\\033[Kshort\\n'", "short\n"),
    Case("erased", "printf 'longer\\r\\033[2Kx\\n'", "x\n"),
    Case("controls", "printf 'bell\\a\\n'", "bell\n"),
    Case("controls", "printf 'nul\\000nul\\n'", "nulnul\n"),
    Case("controls", "printf '\\016\\017x\\n'", "x\n"),
    Case("controls", "printf 'del\\177x\\n'", "delx\n"),
    Case("controls", "printf '\\033]0;a title\\atext\\n'", "text\n"),
    Case("controls", "printf '\\033[6 qtext\\n'", "text\n"),
    Case("controls", "printf '\\001\\002\\003\\006x\\n'", "x\n"),
    Case(
        "controls",
        "printf '\\033]133;C;ab12;1\\a\\033]133;D;ab12;2\\amarks\\n'",
        "marks\n",
    ),
    Case("invalid UTF-8", "printf 'a\\377b\\n'", "ab\n"),
    Case("invalid UTF-8", "printf '\\200\\n'", "\n"),
    Case("invalid UTF-8", "printf 'caf\\351 x\\n'", "caf x\n"),
)


def generated(count: int, seed: int = 7) -> Iterator[Case]:
    """Texts of all sorts, printed by printf."""
    chance = random.Random(seed)
    alphabets = (
        "abcdefghijklmnopqrstuvwxyz     ",
        "".join(map(chr, range(32, 127))),
        "äöüßéèñçøåÆŁžα βγδяжщ —„“€",
        "日本語中文한국어 ab",
        "ab \n\n",
        "x",
    )
    lengths = (*range(1, 30), 78, 79, 80, 81, 82, 159, 160, 161, 240, 400)
    for number in range(count):
        alphabet = chance.choice(alphabets)
        text = "".join(chance.choices(alphabet, k=chance.choice(lengths)))
        end = chance.choice(("\\n", "\\n", "\\n\\n", ""))
        kind = "equal"
        if number % 10 == 8:
            # Short of the edge, where a tab goes no further.
            text = "\t".join(chance.choices(("a", "bcd", "efghijkl", "é", ""), k=5))
            text, kind = f"{text}|", "tabs"
        if number % 10 == 9:
            text = f"\033[1;3{number % 8}m{text}\033[m"
            kind = "colours"
        escaped = text.replace("\\", "\\\\").replace("%", "%%")
        for plain, written in (("\n", "\\n"), ("\t", "\\t"), ("\033", "\\033")):
            escaped = escaped.replace(plain, written)
        yield Case(kind, f"printf -- {shlex.quote(escaped + end)}")


CASES = (
    *(Case("equal", command) for command in EQUAL),
    *BY_HAND,
    *generated(240),
)
KINDS = tuple(dict.fromkeys(case.kind for case in CASES))
