"""Which application a packet's first payload belongs to: kernels that read bytes, ports last.

`kernels.identify` is the one entry; each family of protocols has its own file of small functions
that look at `buffer[start:end]` and answer `(application code, confidence in percent)`.
"""
