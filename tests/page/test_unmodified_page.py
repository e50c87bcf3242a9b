"""The rig itself: two people play on the page as it was released, and everything that a test looks at is there.

The page's own module runs here, with the stand-in for numpy. What it gets wrong is not judged here.
"""

from __future__ import annotations

import page_verdict
import pytest

pytestmark = pytest.mark.page


@pytest.mark.long  # the page is of one version, and nothing of ours runs in it
def test_two_people_finish_a_study_on_the_unmodified_page(start_study) -> None:
    """Both play two episodes over a data channel, and the server has both files of each."""
    study = start_study(own_module=True, episodes=2, max_steps=45)
    ann, bob = study.players("ann", "bob")
    study.finish(ann, bob)
    tables = {who.name: [study.csv(who, episode) for episode in range(2)] for who in (ann, bob)}
    for episodes in tables.values():
        for number, table in enumerate(episodes):
            # Not exactly 45: after a rollback the page's module miscounts its steps, and ends elsewhere.
            assert 30 <= len(table.rows) <= 90
            assert set(table.column("episode_num")) == {number}
            assert {"actions.0", "rewards.1", "infos.0.x"} <= set(table.columns)
    assert any(value for value in tables["ann"][0].column("actions.0"))
    assert {entry["frame"] for entry in ann.log} >= set(range(30))
    metrics = study.metrics(ann)
    assert metrics["inputDelivery"]["sentViaP2P"] > 0
    # What judges our module's file knows the page's.
    assert page_verdict.unlike(metrics, page_verdict.METRICS) == []
    assert ann.assigned["game_seed"] == bob.assigned["game_seed"]
    assert study.refused == []
    assert ann.addresses.answered
