"""The deep lane: SMB, DCE/RPC, NTLM, Kerberos, LDAP, DICOM and HL7 packets as sightings."""

from collector.deep.lane import DeepLane
from collector.deep.settings import DeepSettings

__all__ = ["DeepLane", "DeepSettings"]
