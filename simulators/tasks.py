"""Tasks: ended for certain, also where a library swallows a cancellation.

``asyncio.wait_for`` does in Python 3.11 when the cancellation comes together with the result, and
aiomqtt waits by it: a task told once would go on for ever.
"""

import asyncio
from typing import Any

_AGAIN_S = 0.2


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it is done; what it raises then is of no interest."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN_S)
    if not task.cancelled():
        task.exception()
