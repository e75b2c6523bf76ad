"""The first command of the README: one program natively and in Pyodide, and the page."""
