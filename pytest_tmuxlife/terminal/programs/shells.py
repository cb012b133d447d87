"""How the shells that we know are started: each reports its prompts and statuses.

A function gives the start-up files and arguments of one, for a prompt of ours; its
files begin with *stem*, and its channel is the FIFO of that name.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

from pytest_tmuxlife.terminal.programs.program import Outfit
from pytest_tmuxlife.terminal.programs.prompts import HousePrompt

# Nothing but what is to mark one command.
_PS0 = "${_tmuxlife_begins-}"
_QUIET_MARK = (
    '{ _tmuxlife_last=$_; _tmuxlife_mark; : "$_tmuxlife_last"; } > /dev/null 2>&1'
)


def _printf_format(mark: Callable[[str], str]) -> str:
    """For a shell's printf, which is given the number."""
    return "'" + mark("%d").replace("\x1b", "\\e").replace("\x07", "\\a") + "'"


def bash(prompt: HousePrompt, stem: str) -> Outfit:
    """Reports by PROMPT_COMMAND; marks by PS0 and the same, when a key asks for it."""
    # 1<> and never >: opening for writing alone would block the shell for
    # ever once nobody reads. PS1 and PS2 are set anew each time, for `activate` of
    # a virtual environment changes the first. Nothing here is exported. An alias
    # does not take what is quoted, nor a function what builtin calls.
    # What `set -x` or a DEBUG trap would print of the hook is nobody's output.
    # bash takes PS0 with the prompt, too early for the key: a variable in it is not.
    channel = shlex.quote(stem + ".fifo")
    hook = f"""{{
\\builtin printf "%d %d\\n" "$?" "$((_tmuxlife_n += 1))" 1<> {channel}
PS1="[{prompt.nonce}:$_tmuxlife_n]\\$ "
[[ -z ${{_tmuxlife_begins-}} ]] || {{
  \\builtin printf {_printf_format(prompt.ends)} "$_tmuxlife_n" > /dev/tty
  _tmuxlife_begins=
}}
[[ $BASHOPTS == *promptvars* || $PS0 != '{_PS0}' ]] || PS0=
PS2='{prompt.continuation}'
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
"""
    return Outfit(
        first=("--noprofile", "--rcfile", stem + ".rc"),
        env={"INPUTRC": "/dev/null"},
        files={".rc": rc},
    )


def dash(prompt: HousePrompt, stem: str) -> Outfit:
    """Reports by a command substitution in PS1; it has no marks."""
    # What `set -x` would print of it is nobody's output. A function or an alias can
    # be called echo or command, but unset is a special built-in, and this a subshell.
    channel = shlex.quote(stem + ".fifo")
    report = (
        "{ _tmuxlife_last=$?; \\unset -f echo; "
        f'\\echo "$_tmuxlife_last $_tmuxlife_n" 1<>{channel}; }} 2>/dev/null'
    )
    # Counted first: a C-c in between brings another prompt, with another number.
    count = "$((_tmuxlife_n = _tmuxlife_n + 1))"
    rc = f"""\
unset ENV
_tmuxlife_n=0
PS1={shlex.quote(f"[{prompt.nonce}:{count}$({report})]$ ")}
PS2='{prompt.continuation}'
"""
    return Outfit(env={"ENV": stem + ".rc"}, files={".rc": rc})


def zsh(prompt: HousePrompt, stem: str) -> Outfit:
    """Reports by precmd; marks by preexec and the same, when a key asks for it."""
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
    PS2='{prompt.continuation}'
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
"""
    return Outfit(first=("-d",), env={"ZDOTDIR": stem + ".d"}, files={".d/.zshrc": rc})


def fish(prompt: HousePrompt, stem: str) -> Outfit:
    """Reports and marks by events."""
    # Once the channel is removed, `>` makes a file of its name: nothing hangs.
    # What is incomplete or wrong gets no prompt, so Enter says it. C-v would paste.
    channel = _quoted_for_fish(stem + ".fifo")
    quoted = (
        f"bind \\x16\\x{code:02x} 'builtin commandline -i \\x{code:02x}'\n"
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
        builtin functions -e _tmuxlife_begin
        builtin printf {_printf_format(prompt.begins)} $_tmuxlife_n > /dev/tty
        function _tmuxlife_end --on-event fish_postexec
            builtin functions -e _tmuxlife_end
            set -l next (builtin math $_tmuxlife_n + 1)
            builtin printf {_printf_format(prompt.ends)} $next > /dev/tty
        end
    end
    builtin echo ! $_tmuxlife_n > {channel}
end
bind \\x16!{prompt.nonce} _tmuxlife_mark
function _tmuxlife_enter
    builtin commandline --is-valid
    switch $status
        case 1
            builtin echo x $_tmuxlife_n > {channel}
        case 2
            builtin echo + $_tmuxlife_n > {channel}
    end
    builtin commandline -f execute
end
function _tmuxlife_cancel
    builtin commandline ''
    builtin commandline -f execute
end
bind \\r _tmuxlife_enter
bind \\cc _tmuxlife_cancel
{"".join(quoted)}"""
    return Outfit(
        # Since 4 it would print marks of its own into the output; since 4.1 question
        # the terminal, and a C-c meanwhile only ends the question.
        first=(
            "--no-config",
            "--private",
            "--features",
            "no-mark-prompt,no-query-term",
        ),
        last=("-C", f"source {_quoted_for_fish(stem + '.rc')}"),
        files={".rc": rc},
    )


def _quoted_for_fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
