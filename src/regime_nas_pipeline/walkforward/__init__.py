"""Who is trained when, on what."""
