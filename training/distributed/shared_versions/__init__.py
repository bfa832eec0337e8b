"""A registry that several machines share. Imported only where FILLBOT_MODELS_URL is set.

The table `model_versions` says which versions exist, and which are champion and domain model. In object
storage, an S3 bucket or a folder that all machines mount, lie

    versions/v0007-…/    the files of a version, a folder per upload; never changed
    fillbot.json         what the table says, for processes without access to the database

A version is uploaded and verified before its row appears. `fillbot.json` is written after each change of the
table. If a crash prevents that, the next `pull` of any process with the database does it.

From the bottom up: `object_storage` has the files, `state` what the table says, `table` its changes.
`cached_registry` follows the state in the folder of the local registry; Ray Serve replicas need no more.
`registry` changes it, and `importing` fills a table that lacks what the storage has.
"""
