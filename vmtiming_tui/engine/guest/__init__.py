"""What guests say: the report socket, the report's protocol, the console."""
