import emheap
from pyscript import document

heap = emheap.open()
with heap.alloc_array(emheap.clamped_uint8, [0, 127.6, 300, -4]) as pixels:
    kind = pixels.js_view.constructor.name
    document.querySelector("#answer").textContent = f"{pixels[:]} in a {kind}"
