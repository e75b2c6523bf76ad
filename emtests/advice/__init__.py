"""What an error says to do is safe to follow: tests make the mistake, and then do as told."""
