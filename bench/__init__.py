"""What Moot can do, measured: `python -m bench [NAME …]`. Nothing here asserts anything on time."""
