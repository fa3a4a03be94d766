"""Makes azCommands.json: the options of every `az` command that the remedies, the documents and infra/ use.

Source: the reference that Microsoft generates from the Azure CLI's own argument tables and publishes in the repository
MicrosoftDocs/azure-docs-cli (docs-ref-autogen/Latest-version). Run it in the root of this repository with the path of a
clone of that one, after a command is used for the first time (the test names what is missing):

    python3 test/infra/az/makeAzCommands.py ../azure-docs-cli > test/infra/az/azCommands.json

An option is one string: its spellings, a `*` before them where it is required, and the accepted values behind a colon.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

CLONE = sys.argv[1]
REFERENCE = "docs-ref-autogen/Latest-version/latest"
RELEASES = "docs-ref-conceptual/Latest-version/release-notes-azure-cli.md"
# Every command takes them: the reference lists them on a page of their own ("Global parameters").
EVERYWHERE = ["--debug", "--help -h", "--only-show-errors", "--output -o", "--query", "--subscription", "--verbose"]


def git(*words):
    return subprocess.run(["git", "-C", CLONE, *words], capture_output=True, text=True, check=True).stdout


def page(path):
    return git("show", f"HEAD:{path}")


def used():
    """The words behind each `az`, as far as they can belong to a command's name."""
    roots = [Path("README.md"), Path("SECURITY.md"), *Path("docs").rglob("*.md"), *Path("src/core").rglob("*.ts")]
    roots += [one for one in Path("infra").rglob("*") if one.suffix in (".md", ".sh", ".bicep")]
    for path in roots:
        for words in re.findall(r"\baz((?: [a-z][a-z0-9-]*)+)", path.read_text()):
            yield words.split()


def commands_in(text):
    """Name and options of each command of a page, which is regular enough to read line by line."""
    for part in re.split(r"^- uid: az_", text, flags=re.M)[1:]:
        name = re.search(r"^  name: az (.+)$", part, flags=re.M)
        if not name:
            continue
        options = []
        for required, lines in re.findall(r"^  (required|optional)Parameters:\n((?:  [- ] .*\n|\s*\n)*)", part, flags=re.M):
            for item in re.split(r"^  - ", lines, flags=re.M)[1:]:
                spelling = re.search(r"^(?:  )?(?:  )?name: (.+)$", item, flags=re.M)
                values = re.search(r"acceptedValues: (.+)$", item, flags=re.M)
                if spelling:
                    options.append(
                        ("*" if required == "required" else "")
                        + spelling[1].strip()
                        + (f": {values[1].strip()}" if values else "")
                    )
        yield name[1].strip(), sorted(options)


pages = {one for one in git("ls-tree", "-r", "--name-only", "HEAD", REFERENCE).split("\n") if one.endswith(".yml")}
known = dict(commands_in(page(f"{REFERENCE}/reference-index.yml")))
read = set()
found = {}
for words in used():
    for length in range(1, len(words) + 1):
        path = f"{REFERENCE}/{'/'.join(words[:length])}.yml"
        if path in pages and path not in read:
            read.add(path)
            known.update(commands_in(page(path)))
    for length in range(len(words), 0, -1):
        name = " ".join(words[:length])
        if name in known:
            found[name] = known[name]
            break

version = re.search(r"^Version (\S+)$", page(RELEASES), flags=re.M)[1]
commit = git("rev-parse", "HEAD").strip()
lines = [f"    {json.dumps(name)}: {json.dumps(options)}" for name, options in sorted(found.items())]
sys.stdout.write(
    "{\n"
    + f'  "azureCli": {json.dumps(version)},\n'
    + f'  "source": {json.dumps("MicrosoftDocs/azure-docs-cli@" + commit)},\n'
    + f'  "everywhere": {json.dumps(EVERYWHERE)},\n'
    + '  "commands": {\n'
    + ",\n".join(lines)
    + "\n  }\n}\n"
)
