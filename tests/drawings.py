"""What the tests of figures share: reading an axes, and drawing it for real."""

from matplotlib.colors import to_hex
from matplotlib.text import Text

from labkit.ui.style import Picture


def texts(ax) -> str:
    return "\n".join(text.get_text() for text in ax.findobj(Text))


def lines(ax, color: str) -> list:
    return [line for line in ax.lines if to_hex(line.get_color()) == color]


def render(fig) -> None:
    """Draw for real: a warning (a missing glyph, a failed layout) is an error."""
    Picture(fig, "a test")
