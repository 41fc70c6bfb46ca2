"""Flow exports, NetFlow v5 and v9, IPFIX and sFlow v5, decoded column by column into flows.

`decoder.ExportDecoder` takes datagrams and gives a FlowBatch; `stitch` joins two one-way records
into one flow.
"""
