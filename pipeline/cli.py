"""The ``d2ace`` command: parses, calls one verb, turns errors into a line."""

import os
import sys
from collections.abc import Sequence

from ..selectors.common.errors import SelectionError
from .command.arguments import make_parser
from .common.errors import ConfigError, DataError, RunError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for an error told in one line, or that of a submitted job."""
    options = make_parser().parse_args(arguments)
    try:
        code = options.call(options)
    except (ConfigError, DataError, RunError, SelectionError) as error:
        print(f"d2ace: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("d2ace: interrupted", file=sys.stderr)
        return 130
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
