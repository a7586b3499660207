"""Data set classes, transforms, generators and validators."""
