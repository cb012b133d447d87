"""How the REPLs that we know are started. See `shells`."""

from __future__ import annotations

import json

from pytest_tmuxlife.terminal.programs.program import Outfit
from pytest_tmuxlife.terminal.programs.prompts import HousePrompt


def python(prompt: HousePrompt, stem: str) -> Outfit:
    """Reports when the prompt is asked for."""
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


def node(prompt: HousePrompt, stem: str) -> Outfit:
    """Reports when it sets its prompt."""
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


def gdb(prompt: HousePrompt, stem: str) -> Outfit:
    """Shows a prompt of ours, and reports none."""
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


def sqlite(prompt: HousePrompt, stem: str) -> Outfit:
    """Shows a prompt of ours, and reports none."""
    shown = f".prompt '{prompt.fixed}' '{prompt.continuation}'"
    # Newer ones show a box around each result (seen with 3.53).
    rows = (*("-cmd", ".mode list"), *("-cmd", ".headers off"))
    return Outfit(first=("-init", "/dev/null", "-interactive", *rows, "-cmd", shown))
