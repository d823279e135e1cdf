"""What the newest exported file was asked to hold, for what is told without asking again."""

from scanvi_core.services.export import write
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.export.filling import NO_PREDICTION, default_level
from scanvi_core.services.workspace import Workspace


def last_choice(opened: Workspace) -> ExportChoice:
    """Return which predictions the newest file holds as labels; without one what Export offers."""
    files = write.exported_files(opened)
    if not files:
        return ExportChoice(threshold=default_level(opened))
    about = write.about(files[0])
    level, broader = about.get("threshold"), about.get("broader", about.get("groups"))
    # the notes may be of an earlier version, or from elsewhere
    if not isinstance(broader, bool) or not isinstance(level, (int, float)):
        return ExportChoice()
    return ExportChoice(threshold=min(max(level, 0.0), NO_PREDICTION), broader=broader)
