"""What people see: one file a screen. Nothing is shown that was not measured."""
