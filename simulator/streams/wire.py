"""WebSocket frames as bytes. A server does not mask, so one frame serves every client that wants it."""

_TEXT, _PING, _PONG = 0x81, 0x89, 0x8A
_SHORT, _MEDIUM = 126, 1 << 16


def text_frame(payload: bytes) -> bytes:
    """A complete text frame."""
    return _frame(_TEXT, payload)


def ping_frame(payload: bytes) -> bytes:
    """A ping of at most 125 bytes."""
    return _frame(_PING, payload)


def pong_frame(payload: bytes) -> bytes:
    """A pong of at most 125 bytes."""
    return _frame(_PONG, payload)


def wrapped(stream: str, payload: bytes) -> bytes:
    """An event as combined connections get it. Stream names hold no character that JSON would escape."""
    return b'{"stream":"%b","data":%b}' % (stream.encode(), payload)


def _frame(opcode: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < _SHORT:
        return b"%c%c%b" % (opcode, length, payload)
    if length < _MEDIUM:
        return b"%c\x7e%b%b" % (opcode, length.to_bytes(2, "big"), payload)
    return b"%c\x7f%b%b" % (opcode, length.to_bytes(8, "big"), payload)
