"""Statistical tests and the claims that they allow."""
