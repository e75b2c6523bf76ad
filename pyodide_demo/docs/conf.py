"""How Sphinx builds these pages; see pyodide_demo/documentation.py, which runs it."""

from __future__ import annotations

import emheap

project = "emheap"
author = "The emheap authors"
project_copyright = "The emheap authors"
release = version = emheap.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "pyodide_demo.docs_extension"]
root_doc = "index"
source_suffix = {".md": "markdown"}
nitpicky = False
# Docstrings set names in single backticks.
default_role = "code"
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = "emheap"
html_favicon = "../page/icon.svg"
# docs_extension puts the address of the page in, which depends on where the link stands.
html_theme_options = {
    "announcement": '<a href="THE-PAGE">Try emheap in this browser</a>',  # fits a phone
}
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_copy_source = False
html_show_sphinx = False
# Their colours have enough contrast; furo brings them.
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
