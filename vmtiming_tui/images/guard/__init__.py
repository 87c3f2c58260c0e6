"""What keeps an image, and other users, from getting at the host."""
