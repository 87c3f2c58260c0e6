"""Everything that can go wrong, tried: a row a fault; the README's tables are made of the rows."""
