"""Runs checkov on the translated template, and judges what it says by infra/rules/waivers.

A finding without a waiver fails, and so does a waiver that nothing needs.
"""

import json
import pathlib
import re
import subprocess
import sys

WAIVERS = pathlib.Path(__file__).parents[2] / "infra" / "rules" / "waivers"


def waivers():
    """(check, expression over logical ids), each with its reason."""
    found = {}
    for line in WAIVERS.read_text().splitlines():
        if line and not line.startswith("#"):
            check, resources, reason = line.split(maxsplit=2)
            found[check, resources] = reason
    return found


def findings(template):
    """(check, logical id, what the check is about) of each failed check."""
    run = subprocess.run(
        [sys.executable, "-m", "checkov.main", "-f", template, "--framework", "cloudformation", "--compact",
         "--quiet", "--skip-download", "--soft-fail", "--output", "json"],
        stdout=subprocess.PIPE,
        check=True,
    )
    report = json.loads(run.stdout)
    if report["summary"]["passed"] == 0:
        raise SystemExit("checkov checked nothing")
    for failed in report["results"]["failed_checks"]:
        yield failed["check_id"], failed["resource"].rpartition(".")[2], failed["check_name"]


def main(template):
    known = waivers()
    used = set()
    wrong = []
    for check, resource, about in findings(template):
        match = [(c, r) for c, r in known if c == check and re.fullmatch(r, resource)]
        used.update(match)
        if not match:
            wrong.append(f"{check} {resource}: {about}")
    wrong += [f"{check} {resources}: this waiver waives nothing" for check, resources in known.keys() - used]
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main(sys.argv[1])
