"""What every key is to do, screen by screen."""
