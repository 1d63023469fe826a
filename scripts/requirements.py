"""Prints the Python requirements of the named groups, one a line; pyproject.toml is the only list there is.

python scripts/requirements.py build|demo|test ...
"""

import pathlib
import sys
import tomllib

project = tomllib.loads((pathlib.Path(__file__).parent.parent / "pyproject.toml").read_text())
groups = {"build": [*project["build-system"]["requires"], *project["project"]["dependencies"]]}
groups.update(project["project"]["optional-dependencies"])
for requirement in dict.fromkeys(r for group in sys.argv[1:] for r in groups[group]):
    print(requirement)
