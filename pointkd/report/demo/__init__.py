"""`pointkd demo`: the whole way on synthetic scenes, from data to a report, in minutes on a processor."""
