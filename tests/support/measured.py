"""Boots as real guests took them, a row a storm: what estimates and verdicts are tried on."""

# Boots (s) as real guests took them under TCG on 2 cores that others used as well.
EIGHT = [[74.0, 78.3, 77.3, 76.1, 75.8, 78.3, 83.8, 79.7]]
WARM_UP_AND_THREE = [[41.6, 44.1, 38.4], [46.0, 49.5, 44.7], [42.4, 43.5, 41.5], [58.7, 61.0, 56.9]]
QUIET = [[39.0, 44.0, 47.0, 49.5, 50.0, 52.0, 54.0, 57.0]]
