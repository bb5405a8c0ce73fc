# A package, or pytest takes `scope="package"` for the whole session.
