"""How results look: theme, charts, tables, and the bundle in which they leave a notebook."""
