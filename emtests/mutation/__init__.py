"""What small changes to the code go unnoticed by the tests: `python -m emtests.mutation --help`."""
