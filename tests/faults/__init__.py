"""Everything that can go wrong, tried: a row a fault, and the README's tables made from the rows."""
