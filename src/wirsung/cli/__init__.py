"""The command line: one verb a stage. Nothing of a stage is imported before its verb is chosen."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wirsung import __version__
from wirsung.errors import ConfigError, WirsungError, near_names

if TYPE_CHECKING:
    from wirsung.cli.verbs import Verb

__all__ = ["main"]

INTERRUPTED = 130
PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status.

    0: all good. 1: some cases failed, and a table says which. 2: the call itself was wrong. 130: interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words[0] if words else "--help"
    if name in {"-h", "--help", "help"}:
        return _say(_help())
    if name in {"-V", "--version"}:
        return _say(f"wirsung {__version__}\n")
    try:
        return _run(name, words[1:])
    except WirsungError as error:
        sys.stderr.write(f"wirsung {name}: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"\nwirsung {name}: interrupted. What is done is kept; run it again to go on.\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - so that the last flush is quiet too
        return PIPE_CLOSED


def _run(name: str, words: list[str]) -> int:
    from wirsung.cli.verbs import VERBS, group, missing_extra

    members = {verb.name.split(" ")[1]: verb for verb in group(name)}
    if members:
        return _run_member(name, members, words)
    if name not in VERBS:
        msg = f"there is no such verb. {near_names(name, VERBS)} See wirsung --help."
        raise ConfigError(msg)
    from wirsung.cli.running import run_verb

    try:
        return run_verb(VERBS[name], words)
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from error


def _run_member(name: str, members: Mapping[str, "Verb"], words: list[str]) -> int:
    """Run a verb of two words, such as models list."""
    if not words or words[0] in {"-h", "--help", "help"}:
        width = max(map(len, members)) + 2
        rows = "\n".join(f"  {word:<{width}}{verb.summary}" for word, verb in members.items())
        return _say(
            f"usage: wirsung {name} VERB [ARGUMENTS]\n\n{rows}\n\nwirsung {name} VERB --help says more.\n"
        )
    if words[0] not in members:
        msg = f"there is no {name} {words[0]}. {near_names(words[0], members)} See wirsung {name} --help."
        raise ConfigError(msg)
    return _run(members[words[0]].name, words[1:])


def _help() -> str:
    from wirsung.cli.verbs import VERBS

    width = max(map(len, VERBS)) + 2
    rows = "\n".join(f"  {verb.name:<{width}}{verb.summary}" for verb in VERBS.values())
    return f"""usage: wirsung VERB [ARGUMENTS]

Pancreas imaging from raw scans to curated datasets, trained models, exact scores and reports.

{rows}

wirsung VERB --help says what a verb takes. Every verb takes
  --config FILE.toml  settings from a file; what the command line says wins
  --json              the result as JSON on standard output

Start with: wirsung demo
"""


def _say(text: str) -> int:
    sys.stdout.write(text)
    return 0
