"""A kernel that waits with everything imported, so that a page of the classroom begins at once.

Voila starts a kernel for every page, and most of the seconds before its first panel are imports.
So one spare kernel is always ready, of some 400 MB.
"""

import asyncio
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.ioloop import IOLoop

IMPORTS = "import labkit.explorers"
LATER = 10.0  # seconds for the first panels of the page that took the last one


class WarmKernels(AsyncMappingKernelManager):
    """Jupyter's kernels, of which the one started next has been started already."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._spare: asyncio.Task | None = None
        IOLoop.current().add_callback(self._prepare)

    async def start_kernel(self, *, kernel_id: str | None = None, **options: Any) -> str:
        """The identity of the spare kernel, or of a new one where there is none."""
        spare, self._spare = self._spare, None
        IOLoop.current().call_later(LATER, self._prepare)
        try:
            if kernel_id is None and spare is not None and (found := await spare) in self:
                return found
        except RuntimeError as error:
            self.log.warning("no kernel was ready: %s", error)
        return await super().start_kernel(kernel_id=kernel_id, **options)

    def _prepare(self) -> None:
        if self._spare is None:
            self._spare = asyncio.ensure_future(self._warm())

    async def _warm(self) -> str:
        """Start a kernel and let it import what every page needs."""
        found = await super().start_kernel(path="")
        client = self.get_kernel(found).client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=600)
            await client.execute_interactive(IMPORTS, store_history=False, output_hook=id)
        finally:
            client.stop_channels()
        return found
