"""A registry that several machines share. Imported only where FILLBOT_MODELS_URL is set.

    log/000000042        the changes to the versions, in order; an entry is created once and never changes
    versions/v0007-…/    the files of a version, a folder per upload; `card.json` is written last
    fillbot.json         the format of the storage

All machines that read the log from its beginning agree on the champion. To append an entry, a machine creates
the next number: of two machines that try, one succeeds, and the other reads the new entry and decides again.
"""
