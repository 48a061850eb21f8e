"""Publishing: several Publish requests outstanding, each sent again when its answer was taken.

Several, so that notifications do not wait for a round trip each; sent again only after its answer
was taken, so that a slow reader slows the server down instead of filling memory. Each request
carries the acknowledgements that have gathered; those of a request that failed go with the next.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from asyncua import ua
from asyncua.client.ua_client import UaClientState

_TOO_MANY_PAUSE_S = 1.0


class Answer:
    """A PublishResult, and whether it has been taken."""

    __slots__ = ("result", "taken")

    def __init__(self, result: Any) -> None:
        self.result = result
        self.taken = asyncio.Event()


class PublishRequests:
    """The Publish requests of one session.

    ``tasks`` are the running ones, a task each; ``asking`` is how many of them wait for the server
    and not for a reader. ``on_answer`` gets each answer, and whoever reads it sets its ``taken``.
    """

    def __init__(self, client: Any, on_answer: Callable[[Answer], None]) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.asking = 0
        self._client = client
        self._session = client.uaclient.session
        self._on_answer = on_answer
        self._acknowledgements: list[Any] = []

    def start(
        self, guard: Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, None]]
    ) -> None:
        """Keep one more request outstanding; ``guard`` takes what it fails with."""
        task = asyncio.create_task(guard(self._keep_asking()))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def cancel(self) -> None:
        """End all requests; `tasks` holds them until they have ended."""
        for task in tuple(self.tasks):
            task.cancel()

    def acknowledge(self, subscription: int, numbers: Sequence[int]) -> None:
        """Tell the server, with the next request, that it may forget these notifications."""
        self._acknowledgements += [
            ua.SubscriptionAcknowledgement(SubscriptionId=subscription, SequenceNumber=number)
            for number in numbers
        ]

    async def _keep_asking(self) -> None:
        """Returns when the connection is lost; whoever watches it starts anew, or ends the link."""
        while True:
            acknowledgements, self._acknowledgements = self._acknowledgements, []
            self.asking += 1
            try:
                response = await self._session.publish(acknowledgements)
            except (ConnectionError, TimeoutError):
                self._acknowledgements += acknowledgements
                return
            except asyncio.CancelledError:
                self._acknowledgements += acknowledgements
                raise
            except ua.uaerrors.BadTimeout:
                continue
            except ua.uaerrors.BadTooManyPublishRequests:
                if len(self.tasks) > 1:
                    return
                await asyncio.sleep(_TOO_MANY_PAUSE_S)
                continue
            except ua.UaStatusCodeError:
                if self._client.state is UaClientState.CONNECTED:
                    raise
                return
            finally:
                self.asking -= 1
            answer = Answer(response.Parameters)
            self._on_answer(answer)
            await answer.taken.wait()
