"""A registry that several machines share. Imported only where FILLBOT_MODELS_URL is set.

The table `model_versions` says which versions exist, and which are champion and domain model. Object storage,
an S3 bucket or a folder that all machines mount, contains

    versions/v0007-…/    the files of a version, a folder per upload; never changed
    fillbot.json         the state of the table, for processes without access to the database

A version is uploaded and verified before its row appears. `fillbot.json` is written after each change of the
table. If a crash prevents that, the next `pull` of any process with the database does it.

From the bottom up: `object_storage` reads and writes files, `state` is the published state of the table, and
`table` changes the table. `cached_registry` keeps a local folder in line with the published state, which is
all that Ray Serve replicas need. `registry` makes changes as well. `importing` fills a table that lacks
versions of the storage.
"""
