"""Sphinx configuration; `tox run -e docs` builds with warnings as errors."""

from importlib.metadata import version as version_of

project = "pytest-tmuxlife"
author = "the pytest-tmuxlife contributors"
version = release = version_of("pytest-tmuxlife")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples"]
html_theme = "alabaster"
html_theme_options = {"description": "nothing of a test outlives it"}
# Docstrings write names in single backticks.
default_role = "literal"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
myst_heading_anchors = 3
