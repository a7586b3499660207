"""`pointkd results SUITE`: trainings that answer a question, with controls, seeds and intervals, and their tables."""
