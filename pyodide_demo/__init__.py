"""The first command of the README: one program, run natively and in Pyodide on one picture."""
