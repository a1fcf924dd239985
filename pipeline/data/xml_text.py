"""XML that expat reads, and what is wrong with it in words."""

from collections.abc import Callable
from xml.parsers import expat

from ..common.errors import DataError


def parse_xml(parser: expat.XMLParserType, content: bytes, error: Callable[[str, int], DataError]) -> None:
    """Let a parser read a whole file.

    Args:
        parser: with its handlers, which may raise DataErrors.
        content: of the file.
        error: makes the error of a message and a line.

    Raises:
        DataError: made by ``error`` for what is no XML, or by a handler.
    """
    try:
        parser.Parse(content, True)
    except DataError:
        raise
    except expat.ExpatError as problem:
        raise error(f"not valid XML: {expat.ErrorString(problem.code)}", problem.lineno) from None
    except (LookupError, ValueError) as problem:  # the encoding that it declares
        raise error(f"not valid XML: {problem}", 1) from None
