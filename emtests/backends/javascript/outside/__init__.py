"""Tests that start Node themselves: two Pyodides, and what Python must wait for."""
