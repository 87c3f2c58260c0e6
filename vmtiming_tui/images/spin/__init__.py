"""``spin-from-raw.sh``: from an image to a root that a VM boots from."""
