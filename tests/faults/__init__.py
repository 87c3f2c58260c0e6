"""Everything that can go wrong, tried: a row a fault; the manual's tables are made of the rows."""

import pytest

pytest.register_assert_rewrite("faults.middle", "faults.scene", "faults.traces")
