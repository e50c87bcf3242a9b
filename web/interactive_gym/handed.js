// @ts-check
// Written by `python -m tools.handed` from pycore/interactive_gym/handed.py, which says why; change it there.

export const GENERATIONS = Object.freeze({
  "seed": {
    "name": "seed",
    "steps_itself": true,
    "logs_frames": true,
    "has_monitor": false,
    "stores_episodes": false,
    "stores_metrics": false,
    "hears_course": false,
    "finds_other_partners": false,
    "begins_anew": false,
    "starts_without_p2p": true,
    "drops_by_scene": false,
    "shows_code": false,
    "p2p_wait": 5.0,
    "smoothing_ms": 0,
    "withdrawal": [
      [
        "leave_game",
        [
          [
            "session_id",
            null
          ]
        ]
      ]
    ]
  },
  "mug": {
    "name": "mug",
    "steps_itself": false,
    "logs_frames": false,
    "has_monitor": true,
    "stores_episodes": true,
    "stores_metrics": true,
    "hears_course": true,
    "finds_other_partners": true,
    "begins_anew": true,
    "starts_without_p2p": false,
    "drops_by_scene": true,
    "shows_code": true,
    "p2p_wait": 15.0,
    "smoothing_ms": 100,
    "withdrawal": [
      [
        "participant_terminal_state",
        [
          [
            "game_id",
            null
          ],
          [
            "scene_id",
            null
          ],
          [
            "reason",
            "error"
          ],
          [
            "frame_number",
            null
          ],
          [
            "episode_number",
            null
          ]
        ]
      ],
      [
        "p2p_reconnection_timeout",
        [
          [
            "game_id",
            null
          ],
          [
            "player_id",
            null
          ],
          [
            "pause_duration_ms",
            0
          ]
        ]
      ]
    ]
  }
});
export const EVENTS = Object.freeze([
  "pyodide_other_player_action",
  "webrtc_signal",
  "end_game",
  "p2p_pause",
  "p2p_resume",
  "p2p_game_ended",
  "partner_excluded",
  "trigger_data_export"
]);
export const SERVER = Object.freeze({
  "registering_ms": 500,
  "acknowledged_within_ms": 5000,
  "characters_per_s": 8000,
  "retries_ms": [
    1000,
    2000,
    4000,
    8000,
    16000,
    30000
  ]
});
export const READY = Object.freeze({
  "patience_ms": 1000
});
export const PACE = Object.freeze({
  "stuck_s": 1,
  "late_periods": 2.5,
  "arrears_periods": 3,
  "early_periods": 0.25
});
export const MONITOR = Object.freeze({
  "every_frames": 30
});
