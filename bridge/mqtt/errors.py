"""How an MQTT connection can fail, in words for the person who has to mend it.

One family, because the edge node's shell treats every member alike: this connection is over, wait,
try again with a new one. The subclasses differ in what they tell the person.
"""

from collections.abc import Sequence

from drivers.mqtt.failures import refusal_words

CLIENT_ID_REMEDY = (
    "look into the broker's log; if it repeats every few seconds, another program uses the same "
    "client id"
)


TAKEN_OVER = 0x8E


class ConnectionLost(Exception):  # noqa: N818  (an event of the connection's life, not a bug)
    """The connection is over, or never came about.

    ``seen`` says what was observed, in one line; ``remedy`` what to check. ``connect_sent`` is
    true when a CONNECT packet may have left, so that its will and bdSeq count as used. ``closed``
    is the reason code of MQTT 5 with which the broker's side ended it, 0x80 if it gave none.
    """

    def __init__(
        self,
        seen: str,
        remedy: str = "",
        *,
        connect_sent: bool = True,
        closed: int | None = None,
    ) -> None:
        super().__init__(seen)
        self.seen = seen
        self.remedy = remedy
        self.connect_sent = connect_sent
        self.closed = closed

    def again(self) -> "ConnectionLost":
        """The same statement as a new exception, since each raise writes a traceback into its."""
        return ConnectionLost(
            self.seen, self.remedy, connect_sent=self.connect_sent,
            closed=self.closed,
        )  # fmt: skip


class ConnectionRefused(ConnectionLost):
    """The broker answered CONNECT with a refusal; ``code`` is the MQTT 5 reason code of it."""

    def __init__(self, code: int, text: str, client_id: str) -> None:
        super().__init__(*refusal_words(code, text, client_id))
        self.code = code


class SubscriptionRefused(ConnectionLost):
    """The broker refused some of the filters (SUBACK 0x80); ``filters`` names them."""

    def __init__(self, filters: Sequence[str]) -> None:
        super().__init__(
            f"the broker refuses the subscription to {', '.join(filters)}",
            "give this user the right to read these topics in the broker's access list",
        )
        self.filters = tuple(filters)
