"""What the page shows until Python runs there, as it came out when the site was built."""

from __future__ import annotations

import json

import emheap
from pyodide_demo.breaking import MISTAKES, make_with_ctypes, make_with_emheap
from pyodide_demo.scene import STEPS, Scene

__all__ = ["recordings"]


def recordings() -> str:
    """The mistakes and the scene, with what came of each, as JSON."""
    heap = emheap.open()
    scene = Scene()
    return json.dumps(
        {
            "mistakes": {
                name: {"emheap": make_with_emheap(heap, name), "ctypes": make_with_ctypes(name)}
                for name in MISTAKES
            },
            "scene": [{**step, "recorded": scene.step(step["code"])} for step in STEPS],
        }
    )
