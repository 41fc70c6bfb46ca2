"""The departments' own trades: images, the laboratory's results, messages, cameras."""

from __future__ import annotations

import numpy as np

from collector.sightings import Dicom, Hl7
from sample_pcaps.simulated.calendar import is_day_off, moments
from sample_pcaps.simulated.emit import Day, lognormal
from sample_pcaps.simulated.told import Told

_WORKLIST = "1.2.840.10008.5.1.4.31"
_STUDY_FIND, _STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"


def imaging(day: Day, told: Told) -> None:
    """Worklists, studies into the PACS, viewers, prefetch before the clinics open."""
    house, rng = day.house, day.rng
    pacs, ris = house.of("PACS"), int(house.of("RIS")[0])
    # group, studies an hour at the peak, median MB of a study
    for group, pace, size in (("CT", 6, 350), ("MR", 2.2, 180), ("DR", 3, 15), ("US", 2, 40)):
        hosts = house.of(group)
        who, at = moments(rng, np.full(len(hosts), 18.0), "clinic", day.number)
        day.add(hosts[who], ris, at, 104, "dicom", seconds=0.5, up=900, down=5000)
        told.sample(
            Dicom,
            at,
            hosts[who],
            ris,
            104,
            0.1,
            message="c_find",
            calling_ae=group,
            called_ae="RIS",
            sop_class=_WORKLIST,
        )
        who, at = moments(rng, np.full(len(hosts), float(pace)), "clinic", day.number)
        n = len(who)
        mega = lognormal(rng, size, 0.6, n)
        day.add(
            hosts[who],
            pacs[who % len(pacs)],
            at,
            104,
            "dicom",
            seconds=mega / 11 + 1,
            up=mega * 1e6,
            down=20000,
        )
        told.sample(
            Dicom,
            at,
            hosts[who],
            pacs[who % len(pacs)],
            104,
            1.0,
            message="c_store",
            calling_ae=group,
            called_ae="PACS",
            sop_class="1.2.840.10008.5.1.4.1.1.2",
        )
    _reading(day, told)


def _reading(day: Day, told: Told) -> None:
    """Three viewers in five ask by C-FIND and are sent images by C-MOVE; the others use the web."""
    house, rng = day.house, day.rng
    pacs, viewers = house.of("PACS"), house.of("VIEW")
    by_move = np.arange(len(viewers)) * 3 % 5 < 3
    who, at = moments(rng, np.full(len(viewers), 12.0), "clinic", day.number)
    size = lognormal(rng, 6e7, 1.0, len(who))
    seconds = size / 1.1e7 + 1
    reader, archive = viewers[who], pacs[who % len(pacs)]
    web = ~by_move[who]
    day.add(
        reader[web],
        archive[web],
        at[web],
        443,
        "tls",
        seconds=seconds[web],
        up=30000,
        down=size[web],
    )
    reader, archive, at = reader[~web], archive[~web], at[~web]
    size, seconds = size[~web], seconds[~web]
    day.add(reader, archive, at, 104, "dicom", seconds=seconds + 2, up=3000, down=20000)
    day.add(archive, reader, at + 1, 11112, "dicom", seconds=seconds, up=size, down=30000)
    names = {"calling_ae": "VIEW", "called_ae": "PACS"}
    find = {"message": "c_find", "sop_class": _STUDY_FIND}
    told.sample(Dicom, at, reader, archive, 104, 0.1, **find, **names)
    move = {"message": "c_move", "sop_class": _STUDY_MOVE}
    told.sample(Dicom, at + 0.5, reader, archive, 104, 0.1, **move, **names)
    store = {"message": "c_store", "sop_class": "1.2.840.10008.5.1.4.1.1.2"}
    told.sample(Dicom, at + 1, archive, reader, 11112, 0.1, **store, calling_ae="PACS")
    if is_day_off(day.number):
        return
    n = 60 * len(viewers) // 10  # the PACS sends today's patients' images before the clinics open
    reader, at = rng.choice(viewers[by_move], n), rng.uniform(5, 7, n) * 3600
    day.add(
        pacs[0], reader, at, 11112, "dicom", seconds=20, up=lognormal(rng, 2e8, 0.8, n), down=30000
    )
    told.sample(Dicom, at, np.full(n, pacs[0]), reader, 11112, 0.1, **store, calling_ae="PACS")


def laboratory(day: Day, told: Told) -> None:
    """Analysers to the LIS, orders and results through the HL7 engine, databases."""
    house, rng = day.house, day.rng
    lis, hl7 = int(house.of("LIS")[0]), int(house.of("HL7")[0])
    analysers, ap, db = house.of("ANA"), house.of("EMR-AP"), house.of("EMR-DB")
    # Of ten analysers six speak ASTM, two HL7 (IHE LAW), two a protocol of their maker.
    kind = np.arange(len(analysers)) * 7 % 10
    for first, last, port, app in (
        (0, 6, 4001, "astm"),
        (6, 8, 2575, "hl7"),
        (8, 10, 4001, "unknown"),
    ):
        speakers = analysers[(kind >= first) & (kind < last)]
        who, at = moments(rng, np.full(len(speakers), 14.0), "ward", day.number)
        day.add(speakers[who], lis, at, port, app, seconds=1, up=2500, down=400)
        if app == "hl7":
            for said in ("QBP^Q11", "OUL^R22"):
                told.sample(Hl7, at, speakers[who], lis, port, 0.1, message_type=said)
    systems = np.array([lis, *house.of("RIS"), *house.of("PHARM-SV"), *house.of("NUTRI-SV")])
    who, at = moments(rng, np.full(len(systems), 60.0), "ward", day.number)
    day.add(systems[who], hl7, at, 2575, "hl7", seconds=0.3, up=1400, down=300)
    told.sample(
        Hl7,
        at,
        systems[who],
        hl7,
        2575,
        0.02,
        message_type="ORU^R01",
        sending_application="DEPT",
        receiving_application="EMR",
    )
    who, at = moments(rng, np.full(len(ap), 120.0), "ward", day.number)
    day.add(ap[who], db[who % len(db)], at, 1521, "oracle", seconds=2, up=8000, down=90000)
    who, at = moments(rng, np.full(1, 30.0), "ward", day.number)
    day.add(lis, db[0], at, 1521, "oracle", seconds=2, up=3000, down=30000)
    stations = house.of("MON-CS")  # the monitors' own segment is not mirrored
    who, at = moments(rng, np.full(len(stations), 30.0), "flat", day.number)
    day.add(stations[who], hl7, at, 2575, "hl7", seconds=0.3, up=900, down=200)
    phones, dc = house.of("PHONE"), int(house.of("DC")[0])
    who, at = moments(rng, np.full(len(phones), 2.0), "flat", day.number)
    day.add(phones[who], dc, at, 123, "ntp", seconds=0.01, up=48, down=48, protocol=17)


def cameras(day: Day) -> None:
    """The recorder holds one RTSP session with each camera, day and night, some 2 Mbit/s."""
    house, rng = day.house, day.rng
    eyes, recorder = house.of("CAM"), int(house.of("NVR")[0])
    whole = lognormal(rng, 2.1e10, 0.4, len(eyes))
    day.add(recorder, eyes, 1.0, 554, "rtsp", seconds=86300.0, up=4e6, down=whole)
