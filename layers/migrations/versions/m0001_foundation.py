"""The foundation: schemas, what the releases need, accounts, imports, history.

The tables of the layers are not here: they are made from the declarations (layers.database), so that a new layer is
one new file. A change to an existing layer's table is a migration.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().execute(text(Path(__file__).with_name("m0001_foundation.sql").read_text(encoding="utf-8").replace(":", "\\:")))


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a dump to go back")
