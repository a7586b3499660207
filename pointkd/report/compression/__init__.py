"""The report of a compression: what was cut, what it saves, what it costs in accuracy."""
