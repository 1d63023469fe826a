"""Looking at compiled models: what they do, where the time goes, and where a fault came in."""
