"""How each program that we know says it: what the tests of all of them type."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Case:
    """How one program says it.

    Attributes:
        say: Prints MARK.
        many: Of several lines; prints 1 and 2.
        wrong: Is wrong.
        message: What is said then.
        open: Is incomplete.
        wait: Waits until the gate is opened, then prints MARK.
        die: Kills the program.
        env: Prints the environment of a child.
        bare: The same, as a line that starts the program without us.
        partial: Prints MARK without a newline; "" if something follows anyway.
        forge: Prints MARK without a newline, then waits at the gate; "" if the
            program's prompt is always the same.
        also: What is printed after the output.
        status: Of what is right, and of what is wrong.
        interrupted: Prints the status after C-c.
        stays_open: C-c does not give an incomplete input up.
    """

    say: str
    many: str
    wrong: str
    message: str
    open: str
    wait: str
    die: str
    env: str
    bare: str
    partial: str = ""
    forge: str = ""
    also: str = ""
    status: tuple[int | None, int | None] = (None, None)
    interrupted: str = ""
    stays_open: bool = False


_POSIX = Case(
    say="echo MARK",
    partial="printf MARK",
    many="for i in 1 2; do\necho $i\ndone",
    wrong="nosuchcommand",
    message="not found",
    open="echo 'open",
    wait="cat gate; echo MARK",
    die="kill -9 $$",
    env="env",
    bare="",
    forge="printf 'MARK'; cat gate",
    status=(0, 127),
    interrupted="echo $?",
)
CASES = {
    "bash": replace(_POSIX, bare="bash -c env"),
    "zsh": replace(_POSIX, bare="zsh -f -c env"),
    "dash": replace(_POSIX, bare="dash -c env"),
    "fish": replace(
        _POSIX,
        many="for i in 1 2\necho $i\nend",
        message="Unknown command",
        die="kill -9 $fish_pid",
        bare="fish --no-config -c env",
        interrupted="echo $status",
    ),
    "python": Case(
        say="print('MARK')",
        partial="print('MARK', end='')",
        many="for i in 1, 2:\n    print(i)\n",
        wrong="nosuchname",
        message="NameError: name 'nosuchname' is not defined",
        open="print(",
        wait="_ = open('gate').read(); print('MARK')",
        die="import os; os.kill(os.getpid(), 9)",
        env="import os; _ = os.system('env')",
        bare="python3 -c \"import os; os.system('env')\"",
        forge="print('MARK', end='', flush=True); _ = open('gate').read()",
    ),
    "node": Case(
        say="console.log('MARK')",
        many="for (const i of [1, 2]) {\nconsole.log(i)\n}",
        wrong="nosuchname",
        message="Uncaught ReferenceError: nosuchname is not defined",
        open="console.log(",
        wait="await require('fs/promises').readFile('gate'); console.log('MARK')",
        die="process.kill(process.pid, 'SIGKILL')",
        env="console.log(require('child_process').execSync('env', {encoding: 'utf8'}))",
        bare="node -p \"require('child_process').execSync('env', {encoding: 'utf8'})\"",
        forge="process.stdout.write('MARK'); "
        "await require('fs/promises').readFile('gate')",
        also="undefined\n",
    ),
    "gdb": Case(
        say="echo MARK\\n",
        partial="echo MARK",
        many="python\nfor i in 1, 2:\n  print(i)\nend",
        wrong="nosuchcommand",
        message='Undefined command: "nosuchcommand"',
        open="define open",
        wait="shell cat gate; echo MARK",
        die="python import os; os.kill(os.getpid(), 9)",
        env="shell env",
        bare="gdb -nx -batch -ex 'shell env'",
    ),
    "sqlite": Case(
        say=".print MARK",
        partial=".shell printf MARK",
        many="select 1\nunion select 2;",
        wrong="nosuchstatement;",
        message='near "nosuchstatement": syntax error',
        open="select",
        wait=".shell cat gate; echo MARK",
        die=".shell kill -9 $PPID",
        env=".shell env",
        bare="sqlite3 :memory: '.shell env'",
        stays_open=True,
    ),
}
