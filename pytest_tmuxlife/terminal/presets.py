"""The programs that we know: shells that report a status, and REPLs.

None leaves what it was started with to its children: a start-up file takes
variables out of the environment before the first prompt.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_tmuxlife.errors import TmuxLifeError
from pytest_tmuxlife.terminal.programs import Launch, Outfit, Preset, Program, which
from pytest_tmuxlife.terminal.prompts import HousePrompt

# Nothing but what is to mark one command.
_PS0 = "${_tmuxlife_begins-}"
_QUIET_MARK = (
    '{ _tmuxlife_last=$_; _tmuxlife_mark; : "$_tmuxlife_last"; } > /dev/null 2>&1'
)


def _printf_format(mark: Callable[[str], str]) -> str:
    """For a shell's printf, which is given the number."""
    return "'" + mark("%d").replace("\x1b", "\\e").replace("\x07", "\\a") + "'"


def _bash(prompt: HousePrompt, stem: str) -> Outfit:
    # 1<> and never >: opening for writing alone would block the shell for
    # ever once nobody reads. PS1 is set anew each time, for `activate` of a
    # virtual environment changes it. Nothing here is exported.
    # What `set -x` or a DEBUG trap would print of the hook is nobody's output.
    # bash takes PS0 with the prompt, too early for the key: a variable in it is not.
    channel = shlex.quote(stem + ".fifo")
    hook = f"""{{
builtin printf "%d %d\\n" "$?" "$((_tmuxlife_n += 1))" 1<> {channel}
PS1="[{prompt.nonce}:$_tmuxlife_n]\\$ "
[[ -z ${{_tmuxlife_begins-}} ]] || {{
  builtin printf {_printf_format(prompt.ends)} "$_tmuxlife_n" > /dev/tty
  _tmuxlife_begins=
}}
[[ $BASHOPTS == *promptvars* || $PS0 != '{_PS0}' ]] || PS0=
}} > /dev/null 2>&1"""
    rc = f"""\
bind 'set enable-bracketed-paste off'
unset INPUTRC HISTFILE
set +o histexpand
_tmuxlife_n=0
_tmuxlife_mark() {{
  [[ $PS0 == *'{_PS0}'* ]] || return 0
  builtin printf -v _tmuxlife_begins {_printf_format(prompt.begins)} "$_tmuxlife_n"
  builtin printf '! %d\\n' "$_tmuxlife_n" 1<> {channel}
}}
for _tmuxlife_map in emacs vi-insert; do
  bind -m "$_tmuxlife_map" -x '"\\e[133;{prompt.nonce}~": {_QUIET_MARK}'
done
unset _tmuxlife_map
PS0='{_PS0}'
PROMPT_COMMAND={shlex.quote(hook)}
PS2='{prompt.continuation}'
"""
    return Outfit(
        first=("--noprofile", "--rcfile", stem + ".rc"),
        env={"INPUTRC": "/dev/null"},
        files={".rc": rc},
    )


def _dash(prompt: HousePrompt, stem: str) -> Outfit:
    # What `set -x` would print of it is nobody's output.
    channel = shlex.quote(stem + ".fifo")
    report = f'{{ echo "$? $((_tmuxlife_n + 1))" 1<>{channel}; }} 2>/dev/null'
    count = f"[{prompt.nonce}:$((_tmuxlife_n = _tmuxlife_n + 1))]$ "
    rc = f"""\
unset ENV
_tmuxlife_n=0
PS1={shlex.quote(f"$({report}){count}")}
PS2='{prompt.continuation}'
"""
    return Outfit(env={"ENV": stem + ".rc"}, files={".rc": rc})


def _zsh(prompt: HousePrompt, stem: str) -> Outfit:
    channel = shlex.quote(stem + ".fifo")
    rc = f"""\
unset ZDOTDIR HISTFILE
unsetopt prompt_cr prompt_sp bang_hist
bindkey -e
# Set once the line editor is loaded.
unset zle_bracketed_paste
_tmuxlife_n=0
_tmuxlife_precmd() {{
  {{
    builtin print -r -- $? $((_tmuxlife_n += 1)) 1<> {channel}
    PS1="[{prompt.nonce}:$_tmuxlife_n]\\$ "
    [[ -z $_tmuxlife_marks ]] || {{
      builtin printf {_printf_format(prompt.ends)} $_tmuxlife_n > /dev/tty
      _tmuxlife_marks=
      preexec_functions=(${{preexec_functions:#_tmuxlife_begin}})
    }}
  }} 2>/dev/null
}}
_tmuxlife_begin() {{
  builtin printf {_printf_format(prompt.begins)} $_tmuxlife_n > /dev/tty
}}
_tmuxlife_mark() {{
  {{
    _tmuxlife_marks=1
    preexec_functions+=(_tmuxlife_begin)
    builtin print -r -- ! $_tmuxlife_n 1<> {channel}
  }} 2>/dev/null
}}
zle -N _tmuxlife_mark
for _tmuxlife_map in emacs viins; do
  bindkey -M $_tmuxlife_map '^[[133;{prompt.nonce}~' _tmuxlife_mark
done
unset _tmuxlife_map
precmd_functions=(_tmuxlife_precmd)
PS2='{prompt.continuation}'
"""
    return Outfit(first=("-d",), env={"ZDOTDIR": stem + ".d"}, files={".d/.zshrc": rc})


def _fish(prompt: HousePrompt, stem: str) -> Outfit:
    # Once the channel is removed, `>` makes a file of its name: nothing hangs.
    # What is incomplete or wrong gets no prompt, so Enter says it. C-v would paste.
    channel = _quoted_for_fish(stem + ".fifo")
    quoted = (
        f"bind \\x16\\x{code:02x} 'commandline -i \\x{code:02x}'\n"
        for code in (*range(1, 10), *range(11, 32), 127)
    )
    rc = f"""\
set -g fish_greeting
set -g fish_autosuggestion_enabled 0
set -g _tmuxlife_n 0
function fish_prompt
    builtin echo -n '[{prompt.nonce}:'$_tmuxlife_n']$ '
end
function fish_right_prompt
end
function fish_mode_prompt
end
function _tmuxlife_report --on-event fish_prompt
    set -l ended $status
    set -g _tmuxlife_n (builtin math $_tmuxlife_n + 1)
    builtin echo $ended $_tmuxlife_n > {channel}
end
function _tmuxlife_mark
    function _tmuxlife_begin --on-event fish_preexec
        functions -e _tmuxlife_begin
        builtin printf {_printf_format(prompt.begins)} $_tmuxlife_n > /dev/tty
        function _tmuxlife_end --on-event fish_postexec
            functions -e _tmuxlife_end
            set -l next (builtin math $_tmuxlife_n + 1)
            builtin printf {_printf_format(prompt.ends)} $next > /dev/tty
        end
    end
    builtin echo ! $_tmuxlife_n > {channel}
end
bind \\x16!{prompt.nonce} _tmuxlife_mark
function _tmuxlife_enter
    commandline --is-valid
    switch $status
        case 1
            builtin echo x $_tmuxlife_n > {channel}
        case 2
            builtin echo + $_tmuxlife_n > {channel}
    end
    commandline -f execute
end
function _tmuxlife_cancel
    commandline ''
    commandline -f execute
end
bind \\r _tmuxlife_enter
bind \\cc _tmuxlife_cancel
{"".join(quoted)}"""
    return Outfit(
        # Since 4 it would print marks of its own into the output.
        first=("--no-config", "--private", "--features", "no-mark-prompt"),
        last=("-C", f"source {_quoted_for_fish(stem + '.rc')}"),
        files={".rc": rc},
    )


def _quoted_for_fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _python(prompt: HousePrompt, stem: str) -> Outfit:
    # The REPL takes str(sys.ps1) for each prompt, with no Python frame above.
    # Variables go at the first prompt: 3.13 chooses its REPL just before.
    rc = f"""\
import os
import sys

class Prompt:
    number = 0

    def __str__(self):
        try:
            sys._getframe(1)
        except ValueError:
            return self.next()
        return ">>> "

    def next(self):
        for name in ("PYTHON_BASIC_REPL", "INPUTRC"):
            os.environ.pop(name, None)
        self.number += 1
        channel = os.open({stem + ".fifo"!r}, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.write(channel, b"- %d\\n" % self.number)
        finally:
            os.close(channel)
        return "[{prompt.nonce}:%d]$ " % self.number

try:
    import readline
except ImportError:
    pass
else:
    if "libedit" not in (readline.__doc__ or ""):
        readline.parse_and_bind("set enable-bracketed-paste off")
# It would read the user's history, and write it at the end.
sys.__dict__.pop("__interactivehook__", None)
sys.argv[:] = [""]
sys.ps1 = Prompt()
sys.ps2 = "{prompt.continuation}"
"""
    source = stem + ".py"
    start = f"with open({source!r}) as _: exec(_.read(), {{}})\ndel _"
    return Outfit(
        first=("-q", "-i"),
        last=("-c", start),
        env={"PYTHON_BASIC_REPL": "1", "INPUTRC": "/dev/null"},
        files={".py": rc},
    )


def _node(prompt: HousePrompt, stem: str) -> Outfit:
    # The REPL sets its first prompt, or one for the rest, and calls prompt().
    rc = f"""\
'use strict';
const fs = require('fs');
const {{ Interface }} = require('readline');
const first = '[{prompt.nonce}]';
let number = 0;
const repl = require('repl').start({{
  prompt: '', terminal: true, useColors: false, preview: false, useGlobal: true,
  breakEvalOnSigint: true,
}});
function show(preserveCursor) {{
  let text = '{prompt.continuation}';
  if (this._prompt === first) {{
    number += 1;
    const channel = fs.openSync({json.dumps(stem + ".fifo")}, 'r+');
    fs.writeSync(channel, `- ${{number}}\\n`);
    fs.closeSync(channel);
    text = `[{prompt.nonce}:${{number}}]$ `;
  }}
  Interface.prototype.setPrompt.call(this, text);
  Interface.prototype.prompt.call(this, preserveCursor);
}}
repl.prompt = show;
repl.setPrompt(first);
repl.on('exit', () => process.exit());
// Since 24 it edits an input of several lines as one, without a prompt of ours;
// before, and here, it asks for one line after the other.
function own(name) {{
  for (let object = repl; object; object = Object.getPrototypeOf(object)) {{
    const symbols = Object.getOwnPropertySymbols(object);
    const found = symbols.find((symbol) => symbol.description === name);
    if (found) return found;
  }}
}}
const asOne = own('_addNewLineOnTTY');
const kept = own('bufferedCommand');
if (asOne && kept) {{
  repl[asOne] = function () {{
    this[own('_restorePreviousState')]();
    this[kept] += this.line + '\\n';
    this[own('_setLine')]('');
    this.cursor = this.prevRows = 0;
    this.displayPrompt();
  }};
}}
repl.displayPrompt();
"""
    return Outfit(last=(stem + ".cjs",), files={".cjs": rc})


def _gdb(prompt: HousePrompt, stem: str) -> Outfit:
    # Each by itself: what an older gdb does not know stops none of the others.
    settings = (
        f"set prompt {prompt.fixed}",
        "set pagination off",
        "set confirm off",
        "set width 0",
        "set height 0",
        "set style enabled off",
        "set history save off",
        "set debuginfod enabled off",
    )
    arguments = [word for setting in settings for word in ("-iex", setting)]
    return Outfit(first=("-q", "-nx", "-nh", *arguments))


def _sqlite(prompt: HousePrompt, stem: str) -> Outfit:
    shown = f".prompt '{prompt.fixed}' '{prompt.continuation}'"
    # Newer ones show a box around each result (seen with 3.53).
    rows = (*("-cmd", ".mode list"), *("-cmd", ".headers off"))
    return Outfit(first=("-init", "/dev/null", "-interactive", *rows, "-cmd", shown))


BASH = Preset(("bash", "-i"), quit="exit", outfit=_bash, has_status=True, exact="marks")
ZSH = Preset(("zsh", "-i"), quit="exit", outfit=_zsh, has_status=True, exact="marks")
FISH = Preset(
    ("fish", "-i"),
    quit="exit",
    outfit=_fish,
    has_status=True,
    shows_rest=False,
    no_newline="\N{RETURN SYMBOL}",
    # Since 4 it takes an escape sequence apart itself, and drops an unknown one.
    key="\x16!{}",
    echoes_controls=False,
    exact="marks",
)
DASH = Preset(("dash", "-i"), quit="exit", outfit=_dash, has_status=True, exact="echo")
SH = Preset(("sh", "-i"), quit="exit", outfit=_dash, has_status=True)
PYTHON = Preset(("python3",), quit="exit()", outfit=_python)
NODE = Preset(("node",), quit=".exit", outfit=_node)
GDB = Preset(("gdb",), quit="quit", outfit=_gdb, reports=False, continuation="^ *>")
SQLITE = Preset(
    ("sqlite3", ":memory:"), quit=".quit", outfit=_sqlite, reports=False, cancel=()
)

PRESETS: Mapping[str, Preset] = {
    "bash": BASH,
    "zsh": ZSH,
    "fish": FISH,
    "dash": DASH,
    "python": PYTHON,
    "node": NODE,
    "gdb": GDB,
    "sqlite": SQLITE,
}


# What sh knows itself, though PATH may have no program of that name.
_BUILTINS = (
    ". : alias bg break cd command continue eval exec exit export fg getopts hash jobs "
    "read readonly return set shift times trap type ulimit umask unalias unset wait"
)


@dataclass(frozen=True)
class ShellLine(Program):
    """A line for ``sh -c``."""

    def prepare(self, directory: str, path: str | None) -> Launch:
        """See `Program.prepare`; a single word that is nothing is refused."""
        line = self.argv[-1].strip()
        is_word = re.fullmatch(r"[\w.+-]+", line) is not None
        if is_word and line not in _BUILTINS.split() and which(line, path) is None:
            raise TmuxLifeError(
                f"program {line!r} is no preset ({', '.join(PRESETS)}), and not found "
                f"in PATH ({path or 'empty'})",
                program=line,
            )
        return super().prepare(directory, path)


def as_program(program: Program | str | Sequence[str]) -> Program:
    """What a user may give: a preset's name, a shell line, argv, or a `Program`."""
    if isinstance(program, Program):
        return program
    if isinstance(program, str):
        if not program.strip():
            raise TmuxLifeError("the shell line is empty")
        line = ShellLine(("sh", "-c", program), name=program.split()[0])
        return PRESETS.get(program, line)
    return Program(tuple(program))


def default_shell(path: str | None) -> Program:
    """BASH where there is a bash, else the first shell found."""
    for shell in (BASH, DASH, SH):
        if which(shell.argv[0], path):
            return shell
    raise TmuxLifeError(f"no bash, dash or sh in PATH ({path or 'empty'})")
