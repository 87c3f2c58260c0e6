"""hatchling's hook that puts the man page into the wheel; not part of what is installed."""

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPageHook(BuildHookInterface):  # type: ignore[type-arg]  # of the builder's own configuration
    """Makes the man page beside the checkout, which may be read-only, and removes it again."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the page; of its date, ``SOURCE_DATE_EPOCH`` has the first word."""
        sys.path.insert(0, self.root)
        try:
            from vmtiming_tui import __version__  # noqa: PLC0415  not before it can be found
            from vmtiming_tui.manual.manpage import NAME, man_page  # noqa: PLC0415
            from vmtiming_tui.manual.topics import read_topics  # noqa: PLC0415
        finally:
            sys.path.remove(self.root)
        epoch_s = os.environ.get("SOURCE_DATE_EPOCH")
        made = datetime.fromtimestamp(int(epoch_s), UTC) if epoch_s else datetime.now(UTC)
        topics = read_topics(Path(self.root, "assets", "manual"))
        self.made = tempfile.TemporaryDirectory(prefix="vmtiming-man-")
        page = Path(self.made.name, NAME)
        page.write_text(man_page(topics, __version__, made.date()), encoding="utf-8")
        build_data["shared_data"][str(page)] = f"share/man/man1/{NAME}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made."""
        self.made.cleanup()
