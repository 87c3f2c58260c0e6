"""The engine: boots VMs and says what happens as events; a process of its own."""
