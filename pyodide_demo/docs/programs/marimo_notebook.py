import marimo

app = marimo.App()


@app.cell
async def _():
    import micropip
    from js import location

    page = location.href.partition("/assets/")[0]
    await micropip.install(f"{page}/emheap-0.1.0-py3-none-any.whl")
    import emheap

    heap = emheap.open()
    return emheap, heap


@app.cell
def _(emheap, heap):
    numbers = heap.alloc_array(emheap.int32, [1, 2, 3])
    heap.map()
    return (numbers,)


@app.cell
def _(heap, numbers):
    heap.live()
    return


if __name__ == "__main__":
    app.run()
