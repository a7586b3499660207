"""What every room may use: errors, checks, frames, files, seeds. Never imports torch."""
