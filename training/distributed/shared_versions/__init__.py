"""One registry for several machines, on storage that they share. Nothing here is imported without it.

    log/000000042        what happened to the versions, in order; an entry is created once and never changes
    versions/v0007-…/    the files of a version, each upload in a folder of its own; `card.json` is the last
    fillbot.json         which release's storage this is

Everybody who reads the log from its beginning knows the same champion. Who adds to it must create the next
number: of two machines that try, one succeeds, and the other reads what the first did and decides anew.
"""
