"""The table of who may do what: a mistake in it is told when it is read."""

from __future__ import annotations

import pytest
import yaml

from inspection.errors import ConfigError
from inspection.people.person import Person
from inspection.people.roles import load_people
from inspection.site import SITE_VARIABLE, use_site


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv(SITE_VARIABLE, "")

    def use(**people):
        (tmp_path / "site.yaml").write_text(yaml.safe_dump({"people": people}), encoding="utf-8")
        use_site(tmp_path)
        return load_people()

    return use


def test_without_sign_in_everybody_may_do_everything():
    config = load_people()
    assert not config.sign_in
    assert all(config.allows(who, deed) for deed in config.may for who in (None, Person(name="K")))


def test_with_sign_in_the_role_says_it_and_the_site_can_change_that(site):
    config = site(sign_in=True, may={"sign": ["engineer"]})
    engineer, quality = (Person(name="K", role=role) for role in ("engineer", "quality"))
    assert config.allows(engineer, "sign")
    assert not config.allows(quality, "sign")
    assert config.allows(quality, "decide")
    assert not config.allows(None, "decide")
    # As a record of a time without sign-in names a person.
    assert not config.allows(Person(name="K"), "decide")


@pytest.mark.parametrize(
    ("people", "told"),
    [
        ({"second_person": True}, "needs sign_in"),
        ({"sign_in": True, "may": {"users": []}}, "may.users"),
        ({"may": {"users": ["boss"]}}, "boss|operator"),
        ({"may": {"fly": ["operator"]}}, "fly|decide"),
        ({"shortest_secret": 1}, "shortest_secret"),
    ],
)
def test_a_table_that_cannot_hold_is_refused(site, people, told):
    with pytest.raises(ConfigError, match=told):
        site(**people)
