"""Whether the licence of a dataset allows an export, and the notice that goes with it.

To merge masks into label maps makes a changed file. Licences such as CC BY-NC-ND allow that for one's own
use, and forbid to pass the result on; so such a dataset is exported only where the user says that nothing is.
"""

import re

from wirsung.datasets.contents import Contents
from wirsung.datasets.sources import Licence
from wirsung.errors import ConfigError

NOTICE_FILE = "LICENCE_NOTICE.txt"
_FREE = re.compile(r"(CC0|CC-BY|ODC|ODbL|PDDL|Apache|MIT|BSD)(?!.*-ND)", re.IGNORECASE)
_BOUND = re.compile(r"CC-BY.*-ND", re.IGNORECASE)


def check_permission(contents: Contents, *, own_use: bool) -> None:
    """Pass where label maps may be made of the dataset.

    Raises:
        ConfigError: Its licence forbids to pass on changed files, or nobody knows; the message names it.
    """
    licence = _licence(contents)
    if own_use or (licence.redistribution and licence.derivatives):
        return
    title = contents.source.title if contents.source is not None else contents.name
    allowed = {True: "allows", False: "forbids", None: "is not known to allow"}
    verb = allowed[licence.derivatives if licence.redistribution else licence.redistribution]
    what = "changed files" if licence.redistribution else "its files"
    msg = (
        f"{title}: the licence ({licence.name or 'not stated'}) {verb} passing on {what}, "
        "and an export makes such files. If you pass nothing on, say so with --own-use; else ask its makers."
    )
    raise ConfigError(msg)


def notice(contents: Contents, *, own_use: bool) -> str:
    """Where the data are from, what their licence says, and what the user promised."""
    source, licence = contents.source, _licence(contents)
    told = [
        f"{contents.name} {contents.description.version}".rstrip(),
        f"From: {source.title}, {source.homepage}" if source is not None else "",
        f"Licence: {licence.describe()}." if licence.name or source is not None else "Licence: not stated.",
        licence.note,
        f"Cite: {source.citation} {source.doi_url}".rstrip()
        if source is not None and source.citation
        else "",
        "Changed: label maps were made of the masks.",
    ]
    if own_use and not (licence.redistribution and licence.derivatives):
        told.append("Made for own use only: do not pass these files on.")
    return "".join(f"{line}\n" for line in told if line)


def _licence(contents: Contents) -> Licence:
    """Of the source; of one's own data what its licence's name tells, and everything where it has none."""
    name = contents.description.licence
    if contents.source is not None:
        return contents.source.licence
    if not name and not contents.description.source:
        return Licence("", redistribution=True, derivatives=True)
    if _BOUND.search(name):
        return Licence(name, redistribution=True, derivatives=False, commercial="-NC" not in name.upper())
    return Licence(name, True, True) if _FREE.match(name) else Licence(name)
