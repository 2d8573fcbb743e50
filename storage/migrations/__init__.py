"""How the tables came to be, one file a step in `versions/`. `storage.schema` runs them, `models` says where they lead.

A new step: copy the form of the newest file, name the one before in `down_revision`, move `HEAD` in
`storage.revisions`; `tests/storage/test_migrations.py` tells what still differs from the models. A step that is
released is never changed. Data that moves between columns is moved by SQL here, not by code of the house.
"""
