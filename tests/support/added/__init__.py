"""A projection as a third developer adds one: see CONTRIBUTING.md."""
