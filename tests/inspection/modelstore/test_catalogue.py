from inspection.modelstore.catalogue import demo_slots, demo_systems
from inspection.results import ModelProvenance


def model(slot: str, *, demo: bool) -> ModelProvenance:
    return ModelProvenance(slot=slot, name=slot, sha256="ab" * 32, demo=demo)


def test_the_slots_of_demo_models_name_their_systems():
    real, demo = model("vlm", demo=False), [model("rgb_ae", demo=True), model("vlg", demo=True)]
    assert demo_slots([real, *demo]) == {"rgb_ae", "vlg"}
    assert demo_systems({"rgb_ae", "vlg"}) == {"ensemble", "vlg"}


def test_a_text_encoder_is_part_of_the_vlg():
    assert demo_systems({"bert"}) == {"vlg"}


def test_a_slot_in_which_a_demo_model_has_judged_once_stays_marked():
    assert demo_slots([model("vlm", demo=True), model("vlm", demo=False)]) == {"vlm"}


def test_without_demo_models_nothing_is_marked():
    assert demo_systems(demo_slots([model("ct_cnn", demo=False)])) == frozenset()
