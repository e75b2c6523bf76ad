"""What an error says to do is safe to follow: each test makes the mistake, and then does as told."""
