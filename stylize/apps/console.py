"""What the command lines share: their parser, their errors in one line, clean stops."""

import argparse
import contextlib
import difflib
import errno
import io
import os
import shlex
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from stylize.backend.files import Unfinished, naming
from stylize.backend.signals import (
    INTERRUPTED,
    TERMINATED,
    Terminated,
    stops_raise,
    told_of_stops,
)
from stylize.errors import InputError, NonFiniteLoss, WeightsError, is_full, printable

# tqdm's own lock, shared with processes, would start what tracks these before they are ready. Set
# once: threads write lines while others make bars, and must leave the lock that they entered.
tqdm.set_lock(threading.RLock())


REQUIRED = "the following arguments are required"  # how argparse says that some are missing


class Parser(argparse.ArgumentParser):
    """Reports an error as one line, and suggests the option that a misspelt one may mean.

    Attributes:
        suggest: takes an unknown option and those that there are; says what may be meant, or "".
        example: a complete command, to show where an argument is missing.
    """

    example = ""

    suggest: Callable[[str, Sequence[str]], str] = staticmethod(
        lambda name, options: next(iter(difflib.get_close_matches(name, options, n=1)), "")
    )

    def error(self, message: str) -> NoReturn:
        if self.example and message.startswith(REQUIRED):
            message += f", as in {self.example}"
        message = message.removeprefix("argument ")  # --size is one, as anybody sees
        self.exit(2, f"{self.prog}: error: {printable(message)}; see --help\n")

    def _check_value(self, action, value):
        """Refuses what is none of an argument's choices, and names the one that may be meant."""
        if action.choices is not None and value not in action.choices:
            close = difflib.get_close_matches(str(value), action.choices, n=1)
            meant = f"; did you mean {close[0]}" if close else ""
            wanted = f"must be one of {', '.join(action.choices)}, received {value!r}{meant}"
            raise argparse.ArgumentError(action, wanted)

    def _get_values(self, action, arg_strings):
        """An argument's values. An empty one is refused: it would name the current folder."""
        if "" in arg_strings:
            name = max(action.option_strings, key=len, default=action.dest)
            example = f", as in {self.example}" if self.example and name == action.dest else ""
            self.error(f"{name} must not have an empty value{example}")
        return super()._get_values(action, arg_strings)

    def _print_message(self, message, file=None):
        """Prints what argparse does. What was asked for goes to stdout and ends the program."""
        if file and file is sys.stdout:
            print_and_end(self.prog, message.rstrip("\n"))
        super()._print_message(message, file)

    def parse_args(self, args=None, namespace=None):
        args, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.refuse(unknown)
        return args

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Reports arguments that nobody knows."""
        options = [option for option in self._option_string_actions if option.startswith("--")]
        meant = self.suggest(unknown[0].partition("=")[0], options)
        suggested = f"; did you mean {meant}" if meant else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{suggested}")


def underscored(arguments: Sequence[str]) -> list[str]:
    """Spells long options with underscores, as they are declared: --tv-weight -> --tv_weight."""
    result: list[str] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name.startswith("--") and "--" not in result:
            name = "--" + name[2:].replace("-", "_")
        result.append(name + equals + value)
    return result


def check_writable(prefix: str | os.PathLike, longest: str = "") -> None:
    """Raises InputError unless files can be created under `prefix`, OSError if the disk is full.

    Touches no other file.

    Args:
        prefix: their names begin with.
        longest: how the longest of their names goes on.
    """
    if not os.path.basename(prefix):
        raise InputError(f"{prefix}: is a folder; add a name for the result: {prefix}NAME")
    try:
        Unfinished(f"{prefix}{longest}").discard()
    except OSError as error:
        if is_full(error):
            raise OSError(error.errno, error.strerror, os.fspath(prefix)) from None
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(
                f"{prefix}: is too long for names such as {os.path.basename(prefix)}{longest}; "
                "choose a shorter one"
            ) from None
        folder = Path(f"{prefix}_").parent
        raise InputError(
            f"{prefix}: cannot write in {folder} ({error.strerror}); choose another folder"
        ) from None


def check_files(paths: Sequence[Path]) -> None:
    """Raises InputError where a file of ours would have the name of what is no file.

    That is a folder, a device or a pipe that is there, or the folder of another of the `paths`.
    """
    folders = {parent for path in paths for parent in path.parents}
    for path in paths:
        if path in folders:
            raise InputError(
                f"{path}: would be both a file and a folder of results; rename what has that name"
            )
        if path.exists() and not path.is_file():
            raise InputError(
                f"{path}: is not a file, but a result needs this name; choose another prefix"
            )


def check_kept(
    results: Iterable[Path],
    given: Iterable[str | os.PathLike | None],
    other: str = "result prefix",
) -> None:
    """Raises InputError where a result would take the place of a picture or film that is given.

    Args:
        results: files to be written.
        given: the paths that were given; those that name no file do not count.
        other: what names the results.
    """
    ours = {_identity(path): path for path in given if path}
    ours.pop(None, None)
    for result in results:
        if path := ours.get(_identity(result)):
            raise InputError(f"{path}: would be overwritten by a result; choose another {other}")


def _identity(path):
    """What two paths of the same file have in common; None: there is no file."""
    with contextlib.suppress(OSError, ValueError):
        about = os.stat(path)
        return about.st_dev, about.st_ino
    return None


def in_words(seconds: float) -> str:
    """So many seconds, minutes or hours: the largest of which there are about two."""
    if seconds < 119.5:
        return f"{seconds:.0f}s"
    if seconds < 119.5 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def failure(error: BaseException) -> tuple[int, str]:
    """The exit status of an error and what it says in a line. Raises it again if it is a bug."""
    match error:
        case InputError():
            return 2, error.option
        case WeightsError() | NonFiniteLoss():
            return 1, str(error)
        case MemoryError():
            return 1, "not enough memory; choose a smaller --size"
        case OSError():
            remedy = "; free some space and try again" if is_full(error) else ""
            return 1, f"{error.filename or 'cannot write'}: {error.strerror or error}{remedy}"
        case KeyboardInterrupt():
            return INTERRUPTED, "interrupted"
        case Terminated():
            return TERMINATED, "terminated"
    raise error


def started_as() -> list[str]:
    """The words that start this program again."""
    program = sys.argv[0]
    return [sys.orig_argv[0], program] if program.endswith(".py") else [Path(program).name]


def in_shell(words: Sequence[str]) -> str:
    """A command as a person types it, even where a file's name is not to be printed as it is."""
    return " ".join(
        shlex.quote(word) if word.isprintable() else f"$'{_escaped(word)}'" for word in words
    )


def _escaped(word):
    """A word as it stands between $' and '. Shells know it by bytes."""
    plain = set(range(32, 127)) - set(b"'\\")
    return "".join(chr(b) if b in plain else f"\\x{b:02x}" for b in os.fsencode(word))


def progress_bar(quiet: bool) -> tqdm:
    """A bar that goes from 0 to 1, on a terminal only."""
    return tqdm(
        bar_format="{percentage:3.0f}%|{bar}| {elapsed}{postfix}",
        total=1.0,
        leave=False,
        disable=True if quiet else None,  # None: only on a terminal
    )


def say(line: str) -> None:
    """Prints a line above the progress bar, where there is one. Raises OSError.

    Names in it may be a stranger's: what a terminal would take for commands is escaped.
    """
    with naming("standard output"):
        tqdm.write(printable(line))
        sys.stdout.flush()


def say_of_start(name: str) -> None:
    """Says on a terminal that `name`, which takes seconds to start, is starting.

    Raises OSError.
    """
    if sys.stdout.isatty():
        say(f"Starting {name} ...")


def complain(line: str) -> None:
    """Prints a line on stderr, as `say` does. Raises OSError."""
    tqdm.write(printable(line), file=sys.stderr)
    sys.stderr.flush()


def warn(line: str) -> None:
    """Prints a warning, on stderr. Raises OSError."""
    complain(f"warning: {line}")


def print_and_end(program: str, text: str, status: int = 0) -> NoReturn:
    """Prints a text that was asked for, and ends the program; quietly if nobody reads on."""
    make_printable()
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it is flushed at the end
        if not isinstance(error, BrokenPipeError):  # as in `... | head`
            complain(f"{program}: error: standard output: {error.strerror}")
            status = 1
    sys.exit(status)


def make_printable() -> None:
    """Has every line reach the terminal, the file or nobody, whatever names are in it."""
    if sys.stdout is None or sys.stderr is None:  # closed, as by `>&-`
        _occupy_standard_files()
    sys.stdout, sys.stderr = (
        stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, until the program ends
        for stream in (sys.stdout, sys.stderr)
    )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _occupy_standard_files() -> None:
    """Opens those of the numbers 0 to 2 that are closed, lest a file of ours has one of them.

    What a library prints, here or in another process of ours, would be written into it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def _tell_of_stop():
    with contextlib.suppress(OSError):  # the terminal is gone
        complain("Stopping, which may take a while")


def exit_status(
    program: str, action: Callable[[], int | None], kept: Callable[[], str] = lambda: ""
) -> int:
    """Runs `action` and returns the exit status, having said on stderr in a line why it is not 0.

    Args:
        program: the name to begin the line with.
        action: a function without arguments, that may return a status of its own.
        kept: a function that says what is left of an action that did not finish.

    Returns:
        0, 1 (it failed), 2 (it cannot be done as asked), 130 (Ctrl-C) or 143 (SIGTERM, SIGHUP).
    """

    make_printable()
    try:
        with stops_raise(), told_of_stops(_tell_of_stop), warnings.catch_warnings():
            # They are for the libraries' developers, and would come with a line of source.
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            return action() or 0
    except BaseException as error:
        status, message = failure(error)
        left = "" if isinstance(error, InputError | WeightsError) else kept()
        with contextlib.suppress(OSError):  # the terminal is gone
            complain(f"{program}: error: {message}{'; ' if left else ''}{left}")
        return status
