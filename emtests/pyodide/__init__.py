"""What runs inside Pyodide, and the JavaScript that starts it in Node and in a page."""
