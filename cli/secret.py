"""`secret`: store what a source needs to be read, such as the URL of a database."""

from __future__ import annotations

import getpass
import sys

from cli import console
from cli.options import Options
from cli.place import Place
from modelcycle.faults import BadInput

MAX_SECRET_CHARACTERS = 65_536  # AWS page "CreateSecret"


def secret(name: str, options: Options) -> int:
    """Store the text on standard input under a name; on a terminal, ask for it without showing it."""
    text = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.read()
    place = options.open_place(start=True)
    store(place, name, text)
    if options.as_json:
        console.print_json({"secret": name, "place": options.place})
    else:
        console.show(f"Stored the secret {name} in Secrets Manager ({place.title}).")
    return console.DONE


def store(place: Place, name: str, text: str) -> None:
    """Store a secret, in place of an earlier one of that name.

    Raises
    ------
    BadInput : there is no text, or too much
    """
    text = text.strip()
    if not text or len(text) > MAX_SECRET_CHARACTERS:
        problem = (
            "there is no text to store" if not text else f"the text has more than {MAX_SECRET_CHARACTERS:,} characters"
        )
        raise BadInput(problem, f"secret {name}", f"write it to standard input: modelcycle secret {name} < FILE")
    client = place.client("secretsmanager")
    full_name = f"{place.output('SecretPrefix')}{name}"
    try:
        client.create_secret(Name=full_name, SecretString=text)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=full_name, SecretString=text)
