"""No route without questions, and no name that answers differently for being hidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi import FastAPI

from layers.policy import Policy, load
from mapserver import desk
from mapserver.app import create_app
from mapserver.front import Front
from mapserver.routes import AUDIENCE_ROUTES
from tests.leaks import routes
from tests.leaks.conftest import Keys
from tests.leaks.replay import Answer, Ask, replay
from tests.leaks.scene import NONSENSE, Scene, set_scene
from tests.world import SECRET, Database

POLICY = load()


@pytest.fixture(scope="module")
def scene(world: Database, policy: Policy) -> Callable[[str], Scene]:
    made: dict[str, Scene] = {}
    return lambda audience: made.get(audience) or made.setdefault(audience, set_scene(world, policy, audience))


@pytest.fixture(scope="module")
def ask(world: Database, tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Ask]], list[list[Answer]]]:
    settings = world.settings(tmp_path_factory.mktemp("home"))
    return lambda asks: replay({"reader": lambda: create_app(settings)}, asks)


def paths(app: Any) -> set[str]:
    router = app.app
    assert isinstance(router, FastAPI)
    return {r.path for r in router.routes if not r.name.startswith("page:")}  # type: ignore[attr-defined]


def test_every_route_of_the_reader_is_tried(world: Database, tmp_path: Path) -> None:
    app = create_app(world.settings(tmp_path))
    assert isinstance(app, Front)
    assert paths(app) == set(routes.READER)


def test_every_route_of_the_desk_is_tried(world: Database, tmp_path: Path) -> None:
    settings = world.settings(tmp_path, desk_dsn=world.desk_dsn, secret=SECRET)
    assert paths(desk.create_app(settings)) == set(routes.DESK)


@pytest.mark.parametrize("route", AUDIENCE_ROUTES, ids=lambda r: r.name)
def test_every_query_parameter_of_a_route_is_tried(route: Any, scene: Callable[[str], Scene]) -> None:
    asked = list(routes.READER[route.path](scene("unclassified")))
    used = {name for ask in asked for name, _ in parse_qsl(urlsplit(ask.target).query, keep_blank_values=True)}
    assert {p.name for p in route.parameters} <= used


@pytest.mark.parametrize("audience", POLICY.audiences)
def test_every_released_field_is_sorted_and_filtered_by(audience: str, scene: Callable[[str], Scene]) -> None:
    here = scene(audience)
    targets = [ask.target for ask in routes.items(here)]
    for layer, view in here.views.items():
        url = f"/collections/{layer}/items"
        for field in view.fields:
            assert any(url in t and f"sortby=-{field.name}&" in t for t in targets)
            assert any(url in t and f"filter={field.name}+" in t for t in targets)
            assert any(url in t and f"properties={field.name}&" in t for t in targets)


@pytest.mark.parametrize("audience", POLICY.audiences)
def test_a_hidden_name_is_answered_like_nonsense(
    audience: str, scene: Callable[[str], Scene], ask: Callable[[list[Ask]], list[list[Answer]]], keys: Keys
) -> None:
    """In whatever role it is sent: a name of the vault, of another audience, or one that nobody has."""
    here = scene(audience)
    token = keys.readers[audience]
    asks, names = [], []
    for layer, part in here.parts.items():
        if part.view is None:
            continue
        url = f"{here.root}/collections/{layer}/items"
        special = {
            "area",
            "area_label",
            "uncertainty_km",
            "geom",
            "geometry",
        }  # released with every record, by themselves
        for name in (n for n in part.unreleased if n not in special):
            for pairs in (
                [("sortby", name)],
                [(name, "1")],
                [("filter", f"{name} = 'x'")],
                [("filter", f"{name} IS NULL")],
                [("filter", f"T_AFTER({name}, DATE('2020-01-01'))")],
                [("filter", f"S_INTERSECTS({name}, POINT(20 6))")],
                [("properties", name)],
            ):
                real = routes.to(url, *pairs)
                fake = routes.to(url, *((k.replace(name, NONSENSE), v.replace(name, NONSENSE)) for k, v in pairs))
                asks += [Ask(real).bearing(token), Ask(fake).bearing(token)]
                names.append(name)
    answers = ask(asks)
    assert names
    for number, name in enumerate(names):
        (real_one,), (fake_one,) = answers[2 * number], answers[2 * number + 1]
        where = asks[2 * number].target
        assert real_one.status == fake_one.status == 400, where
        body = fake_one.body.replace(NONSENSE.encode(), name.encode())
        assert real_one.body == body, where
        lengths = (b"content-length",)
        assert [h for h in real_one.headers if h[0] not in lengths] == [
            h for h in fake_one.headers if h[0] not in lengths
        ]
