"""How well a version does before any outcome is known."""
