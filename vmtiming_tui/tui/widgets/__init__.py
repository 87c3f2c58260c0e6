"""The dashboard's widgets: each draws its own lines and asks the model for what it shows."""
