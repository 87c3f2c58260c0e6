"""Input that breaks a promise: what is looked for, and what was found."""
