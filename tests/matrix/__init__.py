"""Real images, by the tools that people build images with: prepared, and booted as the tool says.

No test collects this: it takes root, a network of Debian's packages and an hour. By hand:
``PYTHONPATH=tests python -m matrix --help``.
"""
