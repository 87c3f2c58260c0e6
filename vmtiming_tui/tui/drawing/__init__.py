"""How things are drawn, as text with styles: without a widget."""
