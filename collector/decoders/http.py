"""HTTP/1 requests (RFC 9112): which host, which program; and answers that hold a program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.marked import program_format
from collector.decoders.ntlm_header import read_authorization, read_refusal
from collector.decoders.web_judging import judge_request
from collector.decoders.web_logon import read_answer, read_name
from collector.decoders.wire import header_fields, readable
from collector.decoders.wsman import is_cut, is_remote_shell, wsman_call
from collector.fastlane.units import HTTP_WORDS
from collector.packet import Packet, Pick
from collector.sightings import AttackBytes, Http, Sighting

_REQUEST: Final = re.compile(rb"([A-Za-z_-]{1,24}) (\S{0,4096})")


def starts_message(payload: bytes) -> bool:
    return int.from_bytes(payload[:4]) in HTTP_WORDS


class HttpDecoder(Decoder):
    """A request's first segment. Of answers only those tell that begin to send a program, NTLM's
    challenges, and refused logons.

    The path is cut at `?`, `#` and `;`, because what follows may name a patient; of the rest only
    the class of an attack and the words that gave it away are kept.
    """

    pick: ClassVar[Pick] = Pick.HTTP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        first, fields = header_fields(packet.payload)
        body = packet.payload.partition(b"\r\n\r\n")[2]
        if first.startswith(b"HTTP/"):
            wanted = fields.get("www-authenticate", "")
            yield from read_refusal(first, wanted, seen(packet))
            yield from read_answer(first, wanted, seen(packet))
            program = program_format(body)
            if program:
                content_type = fields.get("content-type", "")
                yield AttackBytes(
                    **seen(packet), mark="http_program", format=program, excerpt=content_type[:80]
                )
            return
        request = _REQUEST.match(first)
        if request is None:
            raise Malformed("no HTTP request line")
        path = re.split(rb"[?#;]", request[2], maxsplit=1)[0]
        attack, excerpt = judge_request(request[1], request[2], fields, body)
        method, said_path = readable(request[1]), readable(path)
        yield Http(
            **seen(packet),
            method=method,
            host=fields.get("host", ""),
            path=said_path,
            user_agent=fields.get("user-agent", ""),
            upgrade=fields.get("upgrade", ""),
            protocols=fields.get("sec-websocket-protocol", ""),
            attack=attack,
            excerpt=excerpt,
            wsman=("head" if is_cut(packet.payload) else wsman_call(fields, body))
            if is_remote_shell(method, said_path)
            else "",
        )
        shown = fields.get("authorization", "")
        yield from read_authorization(shown, seen(packet))
        yield from read_name(shown, seen(packet))
