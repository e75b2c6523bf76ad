"""Tests of one block of memory that several processes see."""
