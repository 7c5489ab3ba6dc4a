from __future__ import annotations

import pytest
import yaml

from inspection.errors import ConfigError
from inspection.paths import config_path
from inspection.reasons import load_reasons, reasons
from inspection.site import use_site

DECIDED = ("normal", "internal_defect", "external_defect", "composite_defect")


def test_there_is_a_reason_for_whatever_is_decided_and_no_two_read_the_same():
    known = load_reasons(config_path("reasons.yaml"))
    for language in ("en", "ko"):
        for occasion in ("decide", "override", "change"):
            assert all(known.offered(kind, occasion, language) for kind in DECIDED)
        said = [reason.words[language] for reason in known.rows.values()]
        assert len(set(said)) == len(said)


def test_a_false_alarm_is_offered_for_normal_alone():
    known = load_reasons(config_path("reasons.yaml"))
    false_alarm = known.rows["dust_glare_print"].words["ko"]
    assert false_alarm in known.offered("normal", "override", "ko")
    assert false_alarm not in known.offered("internal_defect", "override", "ko")


def test_a_reason_that_was_kept_reads_in_the_other_language_and_one_s_own_words_stay():
    known = load_reasons(config_path("reasons.yaml"))
    assert known.told("육안으로 결함 확인", "en") == "Defect seen by eye"
    assert known.told("Defect seen by eye", "ko") == "육안으로 결함 확인"
    assert known.told("긁힘", "en") == "긁힘"


def test_a_site_adds_changes_and_takes_out(tmp_path, monkeypatch):
    own = {"en": "Released by the customer", "ko": "고객 승인"}
    settings = {
        "customer": {"words": own, "kinds": ["normal"], "actions": ["override"]},
        "dust_glare_print": {"actions": []},
    }
    (tmp_path / "site.yaml").write_text(yaml.safe_dump({"reasons": settings}), encoding="utf-8")
    monkeypatch.setenv("STATION_SITE", "")
    use_site(tmp_path)
    offered = reasons().offered("normal", "override", "en")
    assert "Released by the customer" in offered
    assert not [reason for reason in offered if "dust" in reason]


@pytest.mark.parametrize(
    ("reason", "field"),
    [
        ({"words": {"en": "x"}, "kinds": ["normal"], "actions": ["decide"]}, "mine.words"),
        ({"words": {"en": "x", "ko": "가"}, "kinds": ["fine"], "actions": []}, "mine.kinds"),
        ({"words": {"en": "a\nb", "ko": "가"}, "kinds": [], "actions": []}, "mine.words.en"),
    ],
)
def test_a_wrong_reason_is_named(tmp_path, reason, field):
    path = tmp_path / "reasons.yaml"
    path.write_text(yaml.safe_dump({"mine": reason}), encoding="utf-8")
    with pytest.raises(ConfigError, match=field):
        load_reasons(path)
