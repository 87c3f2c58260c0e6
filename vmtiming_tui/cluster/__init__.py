"""Many hosts as one: where VMs go, what hosts do together, and one stream of all they tell."""
