"""A job that its caller does itself: what a command or a test waits for."""

from scanvi_core.runtime import Report
from scanvi_core.services import jobs
from scanvi_core.services.runs import train_request


class ForegroundJob(jobs.Job):
    """A job done by the caller itself, which sees its errors and tells a progress bar."""

    watched = False
    tells_time = False  # the bar does, over all jobs

    def __init__(self, project_id: str, progress: Report) -> None:
        super().__init__(jobs.JobRequest(project_id, train_request.TRAIN, "", lambda _: None))
        self._progress = progress

    def report(self, fraction: float, message: str = "") -> None:
        """Pass the progress on."""
        super().report(fraction, message)
        self._progress(fraction, message)
