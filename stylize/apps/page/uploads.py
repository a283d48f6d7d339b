"""Uploads of which nothing stays but whole files, and of which nothing is kept in memory."""

from pathlib import Path

from gradio import route_utils
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException

FIELD = "files"  # in which the page sends them


class FilesOnly(route_utils.GradioMultiPartParser):
    """Gradio's parser of what a browser uploads, but for what no browser of this page sends.

    Gradio's keeps fields without a file in memory, however long. Of an upload that ends early, or
    that it trips over, it leaves its files in the folder, where nothing ever removes them.
    """

    def on_headers_finished(self) -> None:
        """See `GradioMultiPartParser`. Raises MultiPartException: it is no file of the page's."""
        super().on_headers_finished()
        file = self._current_part.file
        if file is None or self._current_part.field_name != FIELD:
            raise MultiPartException("Only files can be uploaded.")
        if Path(file.filename or "").name == "..":
            raise MultiPartException("A file cannot have this name.")

    async def parse(self) -> FormData:
        """See `GradioMultiPartParser`. Raises whatever ends it, when its files are removed."""
        try:
            form = await super().parse()
            if len(self.items) < len(self._files_to_close_on_error):
                raise MultiPartException("The last file is incomplete.")
            return form
        except BaseException:
            for file in self._files_to_close_on_error:
                file.close()
                Path(file.name).unlink(missing_ok=True)
            raise


def take_files_only() -> None:
    """Has Gradio parse uploads so from now on. It has no other place for a parser."""
    route_utils.GradioMultiPartParser = FilesOnly  # type: ignore[misc]
