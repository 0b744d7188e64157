"""Load the demo mission into a vault: public files by their profiles, then what is simulated. Again changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ingest import pipeline
from ingest.demo import dice, enrich, simulate
from ingest.draft import Stage
from ingest.report import Report
from layers.vault import Provenance, Vault

DATA = Path(__file__).parent / "data"

Progress = Callable[[str, int, int | None], None]
"""Called with a title, how much is done and how much there is (None: unknown)."""

FILES: tuple[tuple[str, str, str, str], ...] = (
    # title, file, layer, profile
    ("Country", "caf_admin0.parquet", "areas", "cod-ab"),
    ("Prefectures", "caf_admin1.parquet", "areas", "cod-ab"),
    ("Sub-prefectures", "caf_admin2.parquet", "areas", "cod-ab"),
    ("Communes", "caf_admin3.parquet", "areas", "cod-ab"),
    ("Land", "ne50m_admin0_countries.geojson", "areas", "natural-earth"),
    ("Areas not determined", "ne10m_disputed_areas.geojson", "areas", "natural-earth"),
    ("Administrative lines", "caf_adminlines.parquet", "boundaries", "cod-ab"),
    ("Boundaries", "ne10m_boundary_lines_land.geojson", "boundaries", "natural-earth"),
    ("Disputed boundaries", "ne10m_boundary_lines_disputed.geojson", "boundaries", "natural-earth"),
    ("Rivers", "ne10m_rivers.geojson", "water", "natural-earth"),
    ("Lakes", "ne10m_lakes.geojson", "water", "natural-earth"),
    ("Towns", "geonames_cities500_caf.csv", "settlements", "geonames"),
    ("Towns of the neighbours", "ne10m_populated_places.geojson", "settlements", "natural-earth"),
    ("Health facilities", "who_health_facilities_caf.csv", "facilities", "who-facilities"),
    ("Health sites", "healthsites_io_caf.csv", "facilities", "healthsites"),
    ("Airfields", "ourairports_caf.csv", "facilities", "ourairports"),
    ("Bases", "geopko_v2.3_frontmap_minusca.csv", "bases", "geo-pko"),
    ("Incidents", "ucdp_ged_v23_1_caf.csv", "incidents", "ucdp-ged"),
)

_THOUSAND = 1000


def load(vault: Vault, progress: Progress | None = None, who: str = "demo") -> list[Report]:
    """Load everything, file by file, each in one transaction; an interrupted load is finished by the next one.

    Returns the reports of the files. Raises IngestError or VaultError, which name the file.
    """
    reports = []
    for title, file, layer, profile in FILES:
        extra: tuple[Stage, ...] = (enrich.stage,) if layer == "incidents" else ()
        reports.append(
            pipeline.run(
                DATA / file,
                layer,
                vault,
                profile,
                who=who,
                keep_rejects=False,
                progress=_part(progress, title),
                extra=extra,
            )
        )
    vault.write_rows("partners", simulate.partners(), ("id",))
    vault.write_rows("consents", simulate.consents(), ("id",))
    _simulated(vault, "areas", "Mission sectors (simulated)", simulate.sectors(DATA), who, progress)
    _simulated(vault, "sites", "Project sites (simulated)", simulate.sites(DATA), who, progress)
    return reports


def _simulated(
    vault: Vault, layer: str, title: str, records: Iterable[Mapping[str, Any]], who: str, progress: Progress | None
) -> None:
    if progress:
        progress(title, 0, _THOUSAND)
    # What was drawn follows from the seed: it stands where a file would have its hash.
    seed = hashlib.sha256(dice.SEED.encode()).hexdigest()
    facts = Provenance(file="simulated", sha256=seed, profile="simulated", who=who, licence="Apache-2.0", source="seed")
    vault.write(layer, "simulated", records, facts)
    if progress:
        progress(title, _THOUSAND, _THOUSAND)


def _part(progress: Progress | None, title: str) -> pipeline.Progress | None:
    if progress is None:
        return None

    def part(rows: int, fraction: float | None) -> None:
        progress(title, int((fraction or 0) * _THOUSAND), _THOUSAND)

    return part
