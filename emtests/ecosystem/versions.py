"""The versions of the ecosystem's places that these tests run; the documentation states them."""

from __future__ import annotations

from pyodide_demo.environment import PYODIDE_VERSION

PYSCRIPT = "0.7.31"
JUPYTERLITE = "0.8.6"
MARIMO = "0.25.2"
MARIMO_PYODIDE = "314.0.0"
"""The release whose loader marimo's export carries."""

REQUIREMENTS = (
    "playwright>=1.50",
    f"jupyterlite-core=={JUPYTERLITE}",
    f"jupyterlite-pyodide-kernel=={JUPYTERLITE}",
    # Lists the notebooks of a JupyterLite site.
    "jupyter-server>=2",
    f"marimo=={MARIMO}",
    # marimo's export asks it which packages a notebook needs.
    "uv>=0.5",
)

STATED = {
    "pyodide.md": {"Pyodide": PYODIDE_VERSION},
    "pyscript.md": {"PyScript": PYSCRIPT, "Pyodide": PYODIDE_VERSION},
    "jupyterlite.md": {"JupyterLite": JUPYTERLITE, "Pyodide": PYODIDE_VERSION},
    "marimo.md": {"marimo": MARIMO, "Pyodide": MARIMO_PYODIDE},
}
"""What each page says that it was tried with."""
