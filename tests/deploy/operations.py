"""The API's operations as its own description has them, each with the example that stands there."""

import json
import re
import subprocess
import tempfile
import urllib.parse

from deployment import BINARIES, http

# First what only looks, then what makes and changes, then what takes away; the session that asks goes last.
_ORDER = ["get", "post", "put", "patch", "delete"]


def described():
    """The description: `/openapi.json` of the same code in one process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [BINARIES / "ringfence", "--listen", "127.0.0.1:0", "--data", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                address = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in server.stdout)))
                return json.loads(http("GET", address.group(0) + "/openapi.json")[2])
            finally:
                server.terminate()


def operations(description, known):
    """Method, path, body and its media type of every operation, about the things of `known`: ids by the name
    of a path's parameter, and so by their prefix in bodies. What is not there leaves an id that is nobody's."""
    by_prefix = {value.partition("_")[0]: value for value in known.values() if re.fullmatch(r"[a-z]{3}_[0-9a-f]{32}", value)}

    def filled(value):
        if isinstance(value, dict):
            return {name: filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [filled(one) for one in value]
        prefix = re.fullmatch(r"([a-z]{3})_[0-9a-f]{32}", value) if isinstance(value, str) else None
        return by_prefix.get(prefix.group(1), value) if prefix else value

    found = []
    for path, methods in description["paths"].items():
        for method in methods.keys() & set(_ORDER):
            operation = methods[method]
            at = re.sub(r"\{(\w+)\}", lambda name: urllib.parse.quote(known.get(name.group(1), "nothing"), safe=":"), path)
            content = operation.get("requestBody", {}).get("content", {})
            kind, body = next(iter(content.items()), (None, {}))
            examples = [one["value"] for one in body.get("examples", {}).values()] or [body.get("example")]
            for example in examples:
                is_json = kind and kind.endswith("json")
                data = json.dumps(filled(example)).encode() if is_json and example is not None else None
                found.append((method.upper(), at, data, kind if data else None))
    return sorted(found, key=lambda one: (one[1].startswith("/v1/session"), _ORDER.index(one[0].lower()), one[1]))
