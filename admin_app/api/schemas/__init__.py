"""What goes over the wire, one module per noun. Unknown fields are refused, secrets never come back."""
