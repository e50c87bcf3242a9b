"""A partner for one person at beach volley: a policy that plays a seat, computed alike by every page.

It runs to where the ball will come down, and jumps when it is near, now and then a little too late. It is a pure
function of what it is shown, of the frame and of `random`, which is new in every frame and the same for all pages.

    pycore serve examples/volley.py --settings study.json     # with "policies": {"1": "volley_partner.py"} in it
"""

PX = 256
GRAVITY = 158
SAND = 344 * PX
NEAR, HIGH = 50 * PX, 130 * PX


class Partner:
    """Plays its half. `reach` are the frames beyond which it does not foresee the ball."""

    def __init__(self, reach=40):
        self.reach = reach

    def act(self, outlook, frame, random):
        """0 nothing, 1 left, 2 right, 3 jump, 4 left and jump, 5 right and jump."""
        x, y, vx, vy, own_x, own_y, _, _, _, _, _, _, phase = outlook.observation
        if phase != 1:
            return 0
        for _ in range(self.reach):
            if y > SAND - HIGH:
                break
            vy += GRAVITY
            x, y = x + vx, y + vy
        home = 450 * PX if outlook.seat else 150 * PX
        theirs = x < 300 * PX if outlook.seat else x > 300 * PX
        # A little behind the ball, so that it is hit towards the net.
        goal = home if theirs else x + (12 * PX if outlook.seat else -12 * PX)
        side = 0 if abs(goal - own_x) < 6 * PX else 1 if goal < own_x else 2
        ball_x, ball_y = outlook.observation[:2]
        reachable = abs(ball_x - own_x) < NEAR and own_y - HIGH < ball_y < own_y
        jump = reachable and random.random() < 0.4
        return side + 3 if jump and side else 3 if jump else side


def make_policy():
    """A new one."""
    return Partner()
