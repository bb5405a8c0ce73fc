"""What is served to people who read: HTML made here, which runs nothing in the reader's browser."""
