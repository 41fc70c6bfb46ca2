"""The deep lane: SMB, DCE/RPC, NTLM, Kerberos, LDAP, DICOM and HL7 packets as sightings."""
