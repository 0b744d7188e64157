"""The foundation: schemas, what the releases need, accounts, imports, history.

The tables of the layers are not here: they are made from the declarations (layers.database), so that a new layer is
one new file. A change to an existing layer's table is a migration.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By the driver itself: the file holds several statements and percent signs.
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name("m0001_foundation.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore a dump to go back")
