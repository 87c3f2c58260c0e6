"""What the dashboard knows: without a widget."""
