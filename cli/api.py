"""`modelcycle api`: the OpenAPI document of a model, and a page that calls its API."""

from __future__ import annotations

import sys
import webbrowser

from cli import console, signing
from cli.options import Options


def api(model: str, options: Options, *, print_document: bool, port: int, browser: bool) -> int:
    """Print the OpenAPI document of a model, or serve its Swagger page until Ctrl-C; return the exit status.

    Raises
    ------
    Unknown, NotAllowed : there is no such model, or it has no live version
    BadInput : the port is in use
    """
    from cli.api_page import ApiPage, documented_at

    place = options.open_place()
    document = signing.call(place, "GET", f"/models/{model}/openapi.json")
    if print_document:
        console.print_json(documented_at(document, place.api_url))
        return console.DONE
    with ApiPage(place, model, document, port) as page:
        if options.as_json:
            console.print_json({"model": model, "page": page.url, "api": place.api_url})
        else:
            version = document["info"]["version"]
            console.show("\n".join([
                f"The API of {model}, version {version}, on the {place.title}",
                f"  page         {page.url}",
                f"  clients      {page.url.rstrip('/')}   a base URL for curl, KServe and Triton clients",
                "               Calls are signed with your keys, for programs on this machine that know the address.",
                f"  document     modelcycle api {model} --print",
                "  stop         Ctrl-C",
            ]))  # fmt: skip
        sys.stdout.flush()
        if browser and sys.stdout.isatty():
            webbrowser.open(page.url)
        page.serve_until_interrupted()
    return console.DONE
