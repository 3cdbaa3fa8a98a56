"""How well a version does on live rows whose outcome is known."""
