"""A playing field with two discs that walk, in PettingZoo's parallel style, with one object of nearly every type."""


class Walk:
    possible_agents = (0, 1)

    def reset(self, seed=None, options=None):
        self.t = 0
        self.x = [150, 450]
        self.score = [0, 0]
        self.agents = [0, 1]
        return {0: 0, 1: 0}, {0: {}, 1: {}}

    def step(self, actions):
        self.t += 1
        for seat, action in actions.items():
            if action in (1, 4):
                self.x[seat] -= 6
            if action in (2, 5):
                self.x[seat] += 6
            if action in (3, 4, 5):
                self.score[seat] += 1
        no = {0: False, 1: False}
        infos = {seat: {"score": list(self.score)} for seat in (0, 1)}
        return {0: 0, 1: 0}, {seat: actions[seat] == 3 for seat in (0, 1)}, dict(no), dict(no), infos

    def get_state(self):
        return {"t": self.t, "x": list(self.x), "score": list(self.score)}

    def set_state(self, state):
        self.t, self.x, self.score = state["t"], list(state["x"]), list(state["score"])

    def render(self):
        objects = []
        if self.t == 0:
            objects = [
                {"uuid": "sky", "object_type": "rectangle", "permanent": True, "depth": -2,
                 "x": 0, "y": 0, "w": 600, "h": 400, "color": "#cfe3f7"},
                {"uuid": "sand", "object_type": "rectangle", "permanent": True, "depth": -1,
                 "x": 0, "y": 330, "w": 600, "h": 70, "color": "#e8cf98"},
                {"uuid": "net", "object_type": "line", "permanent": True, "depth": 1,
                 "points": [[300, 200], [300, 330]], "color": "#445566", "width": 6},
            ]
        for seat, color in enumerate(("#2f5fd0", "#d9600b")):
            objects.append({"uuid": f"disc{seat}", "object_type": "circle", "permanent": False, "depth": 2,
                            "x": self.x[seat], "y": 300, "radius": 28, "color": color, "tween": True})
        objects.append({"uuid": "time", "object_type": "text", "permanent": False, "depth": 3,
                        "x": 300, "y": 30, "text": str(self.t), "size": 22, "color": "#22334a", "align": "center"})
        objects.append({"uuid": "flag", "object_type": "polygon", "permanent": False, "depth": 1,
                        "points": [[300, 200], [330, 212], [300, 224]], "color": "#c23b4b"})
        return objects


def make_env():
    return Walk()
