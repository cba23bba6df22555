"""The documentation site: Sphinx, MyST (Markdown) and the theme furo. `./scripts/docs` builds it."""

from __future__ import annotations

from freeswitch_audio_stream import __version__

project = "freeswitch_audio_stream"
author = "the freeswitch_audio_stream authors"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["examples"]

# Headings are link targets, as on GitHub: [Limits](../reference/limits.md#playback).
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

# The reference of the Python API comes from docstrings, which put names between single backticks.
default_role = "literal"
autodoc_member_order = "bysource"
add_module_names = False

html_theme = "furo"
html_title = f"{project} {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
