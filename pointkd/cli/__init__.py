"""The command line: `pointkd VERB`, one module a verb (see `pointkd.cli.main`)."""
