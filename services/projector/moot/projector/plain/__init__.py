"""What each projection's tables have to hold, said a second time, in plain Python.

Every row follows from the events' meaning and the tables' definitions alone. Nothing here knows the
projections that write the tables, so that a mistake in one of them shows as a difference.
"""
