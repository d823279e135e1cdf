"""The tables of a label log."""

import sqlalchemy as sa

SCHEMA_VERSION = 3
METADATA = sa.MetaData()
EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("time", sa.Text, nullable=False),  # UTC; for people only, order comes from seq
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("cells", sa.LargeBinary),
    sa.Column("after", sa.LargeBinary),
    sa.Column("before", sa.LargeBinary),
    sa.Column(
        "digest", sa.Text, nullable=False, server_default=""
    ),  # of this entry and all before
    sa.Column("origin", sa.JSON(none_as_null=True)),
    sa.Column("mac", sa.Text, nullable=False, server_default=""),
)
HEAD = "head"  # the signature of which entry is the last
META = sa.Table(
    "meta",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
