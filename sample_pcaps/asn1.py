"""The little of DER (X.690) that Kerberos, LDAP, SPNEGO, SNMP and certificates need."""


def der(tag: int, *parts: bytes) -> bytes:
    """Tag, length and content."""
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def integer(value: int, tag: int = 0x02) -> bytes:
    """INTEGER, or ENUMERATED with tag 0x0a."""
    return der(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value: bytes) -> bytes:
    return der(0x04, value)


def bits(value: bytes) -> bytes:
    return der(0x03, b"\0" + value)


def text(value: str, tag: int = 0x1B) -> bytes:
    """GeneralString, or another string type by tag (0x0c UTF8, 0x13 Printable)."""
    return der(tag, value.encode())


def sequence(*parts: bytes) -> bytes:
    return der(0x30, *parts)


def field(number: int, *parts: bytes) -> bytes:
    """A constructed context tag, [number]."""
    return der(0xA0 | number, *parts)


def application(number: int, *parts: bytes) -> bytes:
    """A constructed application tag."""
    return der(0x60 | number, *parts)


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = (int(n) for n in dotted.split("."))
    body = bytes([first * 40 + second])
    for number in rest:
        chunk = bytes([number & 0x7F])
        while number := number >> 7:
            chunk = bytes([0x80 | number & 0x7F]) + chunk
        body += chunk
    return der(0x06, body)
