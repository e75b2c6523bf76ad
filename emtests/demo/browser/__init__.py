"""Drives the page in a real browser, as a person would, and tells what was seen.

The tests judge it.

    python -m emtests.demo.browser PANEL BROWSER ADDRESS FOLDER

runs in an environment with Playwright, which the tests themselves need not have. It prints JSON.
"""
