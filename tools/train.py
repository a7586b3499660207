"""`pointkd train` as a script."""

from _verb import run

if __name__ == '__main__':
    run('train')
