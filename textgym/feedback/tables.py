"""The tables of a feedback store, for SQLite and PostgreSQL alike. store.py works with them."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
SETTINGS = sa.Table("settings", METADATA, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))
GUIDES = sa.Table("guides", METADATA, sa.Column("task", sa.Text, primary_key=True), sa.Column("text", sa.Text))
ITEMS = sa.Table(
    "items",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),  # JSON: messages
    sa.Column("responses", sa.Text, nullable=False),  # JSON: lists of messages
    sa.Column("sources", sa.Text, nullable=False),  # JSON
    sa.Column("answer", sa.Text),  # JSON: a verdict
    sa.Column("explanation", sa.Text, nullable=False),
    sa.Column("done", sa.Integer, nullable=False, server_default="0"),  # judgements that are no skips
    sa.Index("items_open", "purpose", "done", "id"),
)
RATERS = sa.Table(
    "raters",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("token_hash", sa.Text, unique=True),  # None: no link, e.g. a rater of an imported file
    sa.Column("state", sa.Text, nullable=False),  # "new" (the quiz comes first), "active", "paused"
    sa.Column("reason", sa.Text, nullable=False, server_default=""),  # why the state is what it is
    sa.Column("forgiven", sa.Integer, nullable=False, server_default="0"),  # gold up to this judgement is past
    sa.Column("simulated", sa.Boolean, nullable=False, server_default=sa.false()),
)
JUDGEMENTS = sa.Table(
    "judgements",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item_id", sa.ForeignKey("items.id"), nullable=False),
    sa.Column("rater_id", sa.ForeignKey("raters.id")),  # None: an imported judgement of nobody knows whom
    sa.Column("choice", sa.Text, nullable=False),
    sa.Column("strength", sa.Integer),
    sa.Column("rating", sa.Float),
    sa.Column("first", sa.Integer),  # the response that was shown first (left); None: unknown
    sa.Column("simulated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("correct", sa.Boolean),  # gold and quiz items
    sa.Column("seconds", sa.Float),
    sa.Column("time", sa.Float),
    sa.Column("details", sa.Text, nullable=False),  # JSON: shown, ranks, criteria, comment
    sa.UniqueConstraint("item_id", "rater_id"),  # never twice to one rater, whatever the code believes
    sa.Index("judgements_of_rater", "rater_id", "id"),
)
LEASES = sa.Table(
    "leases",
    METADATA,
    sa.Column("item_id", sa.ForeignKey("items.id"), primary_key=True),
    sa.Column("rater_id", sa.ForeignKey("raters.id"), primary_key=True),
    sa.Column("begun", sa.Float, nullable=False),  # Unix time
    sa.Column("expires", sa.Float, nullable=False),
)
