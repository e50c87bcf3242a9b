"""Which path an input takes first, what the message by socket.io is, and what is counted."""

from __future__ import annotations

from typing import Any

from core_support import Table, actions_of, datagrams_of, opened, settings, signals_of

from pycore.duties import CHANNEL_CLOSED, CHANNEL_NEVER, SEND
from pycore.events import PathChanged
from pycore.session.phases import PLAYING

LONG = settings(max_steps=5000)


def playing(seats: int = 2, ticks: int = 12, **more: Any) -> Table:
    """Everybody plays, peer-to-peer, for a moment already."""
    table = Table(seats, LONG, **more).start()
    table.ticks(ticks)
    return table


def counts(table: Table, seat: int, to: int | None = None) -> dict[str, int]:
    """The counts of a seat's link."""
    of = table[seat].link_to(1 - seat if to is None else to).counts
    return {name: getattr(of, name) for name in of.__slots__}


def test_while_p2p_is_healthy_every_input_goes_by_it_and_none_by_socketio() -> None:
    """one datagram per tick, one count per input, and the server hears of no input and of no packet."""
    table = playing()
    before = counts(table, 0)["sent_via_p2p"]
    for _ in range(50):
        table.tick(1, 2)
        assert len(datagrams_of(table.outputs[0])) == 1
        assert actions_of(table.outputs[0]) == signals_of(table.outputs[0]) == []
    assert counts(table, 0)["sent_via_p2p"] - before == 50
    assert counts(table, 0)["sent_via_socketio"] == 0


def test_an_input_is_scheduled_for_its_target_frame() -> None:
    """Current frame + input delay: what is pressed while frame 20 is current belongs to frame 23."""
    table = Table(2, settings(max_steps=5000, input_delay=3)).start()
    table.until(lambda: table[0].frame == 20)
    table.now += table.period
    table.poll(0, 5)
    assert table[0].dispatched == 23
    assert table[0].timeline.used(0, 23) == b"\5"
    packet = opened(table[0], datagrams_of(table.outputs[0])[-1])
    assert packet.first + len(packet.inputs) - 1 == 23


def test_exactly_one_input_is_dispatched_per_stepped_frame_stalled_or_not() -> None:
    """Later ticks of a stall dispatch nothing new, and the input once fixed is never replaced."""
    table = playing()
    table.passes = lambda sender, to, what: False
    start = table[0].frame
    for tick in range(40):
        table.tick(tick % 6)
    assert table[0].stalled
    assert table[0].frame - start == 13
    fixed = [table[0].timeline.used(0, frame) for frame in range(start, table[0].dispatched + 1)]
    assert table[0].dispatched == table[0].frame + 1
    table.ticks(5, 5)
    assert fixed == [table[0].timeline.used(0, frame) for frame in range(start, table[0].dispatched + 1)]


def test_a_refused_input_goes_by_socketio_with_a_warning_and_the_next_by_p2p_again() -> None:
    """A single refusal concerns that input only; the healthy link stays healthy."""
    table = playing()
    frame = table[0].dispatched + 1
    table.channels[0] = [16_385]
    table.tick(3)
    assert [data["frame_number"] for data in actions_of(table.outputs[0])] == [frame]
    assert datagrams_of(table.outputs[0]) == []
    assert [text for text in table.logs(0) if text.startswith("[P2P] Send failed")] == [
        f"[P2P] Send failed (buffer full): input of frame {frame} to player 1 goes by socket.io"
    ]
    table.channels[0] = [0]
    before = counts(table, 0)
    table.tick(3)
    assert actions_of(table.outputs[0]) == []
    assert len(datagrams_of(table.outputs[0])) == 1
    assert table[0].links[0].healthy
    after = counts(table, 0)
    assert after["sent_via_p2p"] == before["sent_via_p2p"] + 1
    assert after["sent_via_socketio"] == 1


def test_three_refusals_in_a_row_put_the_fallback_in_force() -> None:
    """`congested`: exactly three, at the tick of the third."""
    table = playing()
    table.channels[0] = [16_385]
    for refusals in (1, 2):
        table.tick()
        assert (table[0].links[0].paths.refusals, table[0].links[0].fallback) == (refusals, None)
    table.tick()
    assert table[0].links[0].fallback == "congested"
    table.tick()
    change = table.events(0, PathChanged)[0]
    assert (change.from_path, change.to_path, change.cause) == ("p2p", "socketio", "congested")


def test_a_lost_channel_sends_the_same_ticks_input_by_socketio() -> None:
    """The input that finds the channel closed is not lost and not late: same poll, with the warning."""
    table = playing()
    frame = table[0].dispatched + 1
    unacknowledged = set(range(table[0].links[0].own[0].acked + 1, frame))
    table.channels[0] = [CHANNEL_CLOSED]
    table.tick(4)
    said = [data["frame_number"] for data in actions_of(table.outputs[0])]
    assert said[0] == frame
    assert set(said) == unacknowledged | {frame}
    assert len(said) == len(set(said))
    assert "[P2P] Send failed (channel not open)" in table.logs(0)[0]
    assert counts(table, 0)["sent_via_socketio"] == 1
    assert counts(table, 0)["resent_via_socketio"] == len(unacknowledged)


def test_what_is_resent_at_a_change_of_path_is_not_counted_as_resent_when_it_is_new() -> None:
    """The input first dispatched at the very tick of the change is sent once, counted once."""
    table = playing()
    table.held = True
    table.ticks(3)
    table.channels[0] = [CHANNEL_CLOSED]
    table.tick(4)
    said = actions_of(table.outputs[0])
    assert counts(table, 0)["resent_via_socketio"] == len(said) - 1 > 0


def test_a_send_that_raised_moves_exactly_that_packets_new_inputs() -> None:
    """`send_failed`: counted over, sent by socket.io at once, and nothing else of the link moves."""
    table = playing()
    table.now += table.period
    table.poll(0, 3)
    table.mail.clear()
    session, link = table[0], table[0].links[0]
    frame = session.dispatched
    seq = next(seq for duty, _l, seq, _p in table.outputs[0] if duty == SEND)
    before = counts(table, 0)
    outputs = session.send_failed(1, seq, table.now)
    assert [data["frame_number"] for data in actions_of(outputs)] == [frame]
    after = counts(table, 0)
    assert after["sent_via_p2p"] == before["sent_via_p2p"] - 1
    assert after["sent_via_socketio"] == before["sent_via_socketio"] + 1
    assert (link.own[0].dispatched, link.healthy, link.paths.refusals) == (frame, True, 1)
    assert actions_of(session.send_failed(1, seq, table.now)) == []
    assert counts(table, 0) == after


def test_three_sends_that_raise_in_a_row_put_the_fallback_in_force() -> None:
    """An exception is a refusal: the shim's word comes after the count, the row is not broken by that."""
    table = playing()
    for number in range(3):
        assert table[0].links[0].fallback is None, number
        table.now += table.period
        outputs = table.poll(0, 1)
        for duty, _link, seq, _payload in outputs:
            if duty == SEND:
                table.post(0, table[0].send_failed(1, seq, table.now))
        table.poll(1)
        table.mail = [mail for mail in table.mail if not isinstance(mail[2], bytes) or mail[0] == 1]
        table.deliver()
        table.advance(0)
        table.advance(1)
    assert table[0].links[0].fallback == "congested"
    assert counts(table, 0)["sent_via_socketio"] == 3


def test_never_both_paths_for_the_first_dispatch() -> None:
    """Over a rough ride, in the tick of its first dispatch an input is in a datagram or in an event of the server."""
    table = playing()
    firsts = {"p2p": 0, "socketio": 0}
    for tick in range(400):
        table.channels[0] = [CHANNEL_CLOSED if 200 < tick < 210 else 20_000 if tick % 5 < 2 else 0]
        before = table[0].dispatched
        table.tick(tick % 6)
        newest = table[0].dispatched
        if newest == before:
            continue
        in_messages = newest in [data["frame_number"] for data in actions_of(table.outputs[0])]
        packets = [opened(table[0], data) for data in datagrams_of(table.outputs[0])]
        in_packets = any(p.first <= newest < p.first + len(p.inputs) for p in packets)
        assert in_messages != in_packets
        firsts["p2p" if in_packets else "socketio"] += 1
    assert firsts["socketio"] == counts(table, 0)["sent_via_socketio"]
    assert min(firsts.values()) > 30


def test_the_fallback_message_has_exactly_six_keys() -> None:
    """Event `pyodide_player_action`, so spelled; the timestamp is wall time in ms, the epoch the episode."""
    table = Table(2, settings(max_steps=30, num_episodes=2, p2p=False), channel=CHANNEL_NEVER, players=["a", "b"])
    table.until(lambda: table[0].episode == 1 and table[0].frame == 5)
    sent = [data for data in actions_of(table.sent[0]) if data["sync_epoch"] == 1]
    assert sent[0] == {
        "game_id": "table",
        "player_id": "a",
        "action": 0,
        "frame_number": 1,
        "timestamp": sent[0]["timestamp"],
        "sync_epoch": 1,
    }
    assert [data["frame_number"] for data in sent[:5]] == [1, 2, 3, 4, 5]
    elapsed = round((table.now - 100.0) * 1000)
    assert 1e12 < sent[0]["timestamp"] <= 1e12 + elapsed
    assert all(type(data["timestamp"]) is int for data in sent)
    assert table[0].phase == PLAYING


def test_while_the_socket_is_down_nothing_is_emitted_and_nothing_counted() -> None:
    """socket.io would buffer it into a later episode. Everything goes out after it is back, once."""
    table = playing()
    table.channels[0] = table.channels[1] = [CHANNEL_CLOSED]
    table.ticks(3, 2)
    table.socket[0] = False
    before, acked = counts(table, 0), table[0].links[0].own[0].acked
    for _ in range(30):
        table.tick(3)
        assert [output for output in table.outputs[0] if output[0] != SEND] == []
    assert counts(table, 0) == before
    fixed = table[0].dispatched
    table.socket[0] = True
    table.tick(4)
    said = [data["frame_number"] for data in actions_of(table.outputs[0])]
    assert set(said) == set(range(acked + 1, table[0].dispatched + 1))
    assert table[0].dispatched >= fixed
    table.ticks(40, 1)
    assert table[0].links[0].own[0].acked > fixed
    mine, theirs = counts(table, 0), counts(table, 1)
    assert mine["sent_via_socketio"] + mine["sent_via_p2p"] == table[0].dispatched
    assert theirs["received_via_p2p"] + theirs["received_via_socketio"] == table[1].timeline.frames.held[0]


def test_a_refused_input_waits_for_the_socket_and_is_tried_once_a_tick() -> None:
    """Congested and offline at once: one refusal and one warning per tick, none lost."""
    table = playing()
    table.channels[0] = [20_000]
    table.socket[0] = False
    for tick in range(1, 6):
        table.tick(2)
        assert table[0].links[0].paths.refusals == tick
    assert len([text for text in table.logs(0) if "Send failed" in text]) == 5
    table.channels[0] = [0]
    table.socket[0] = True
    table.ticks(5)
    mine, theirs = counts(table, 0), counts(table, 1)
    assert mine["sent_via_p2p"] == table[0].dispatched
    assert theirs["received_via_p2p"] == table[1].timeline.frames.held[0]
    assert min(mine.values()) >= 0


def test_inputs_that_wait_for_a_second_dispatch_are_never_counted_below_zero() -> None:
    """A backlog larger than a packet: what did not ride is not subtracted from what was resent."""
    table = Table(2, settings(max_steps=5000, action_space={"type": "any"}, window=16)).start()
    table.ticks(5, "a", "b")
    for _ in range(12):
        table.channels[0] = [20_000]
        table.socket[0] = False
        table.ticks(6, "x" * 900, "b")
        table.channels[0] = [0]
        table.socket[0] = True
        table.ticks(8, "x" * 900, "b")
        assert counts(table, 0)["resent_via_p2p"] >= 0
    assert counts(table, 0)["sent_via_p2p"] + counts(table, 0)["sent_via_socketio"] == table[0].dispatched
