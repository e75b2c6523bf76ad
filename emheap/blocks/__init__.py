"""Who owns which bytes of a heap."""
