"""Entries of a history that are made to harm or to deceive, by what is wrong with them."""

import base64
import json
import zlib

import numpy as np

from scanvi_core.project.label_log.replay.row_sets import pack_values
from tests.services.histories.forged import lone, packed, with_payload

MUCH = zlib.compress(bytes(64 * 2**20), 9)
BOMB = packed(MUCH)
BEFORE, AFTER = lone()["payload"]["changes"][0][1:]
COMBINED = {"n_cells": 3, "with": "x", "knows": [], "changes": lone()["payload"]["changes"]}
HOSTILE = {
    "cells without end": lone(cells=[[0, 400_000_000]]),
    "many such": lone(cells=[[0, 400_000_000]] * 30),
    "cells before the first": lone(cells=[[-5, 2]]),
    "cells backwards": lone(cells=[[5, 3]]),
    "cells twice": lone(cells=[[3, 5], [4, 5]]),
    "too many ranges": lone(cells=[[i, i] for i in range(0, 600, 2)]),
    "cells of yes": lone(cells=[[True, 3]]),
    "cells of halves": lone(cells=[[0.5, 3]]),
    "cells of 2**70": lone(cells=[[2**70, 2**70]]),
    "cells in threes": lone(cells=[[1, 2, 3]]),
    "cells of words": lone(cells="no base64!"),
    "cells of bits without end": lone(cells=packed(b"b" + MUCH)),
    "cells of steps without end": lone(cells=packed(b"s\x02" + MUCH)),
    "cells that stand still": lone(cells=packed(b"s\x00" + zlib.compress(bytes(3)))),
    "values without end": lone(after=packed(b"s\x02" + MUCH)),
    "values of 2**63": lone(after=packed(b"1" + b"\xff" * 8)),
    "values of labels that are not there": lone(
        after=packed(b"1" + (4_000_002).to_bytes(8, "little"))
    ),
    "no values": lone(after=None),
    "nothing before": lone(before=None),
    "number": lone(seq=10**30),
    "number of text": lone(seq="1"),
    "number of yes": lone(seq=True),
    "a later number": lone(seq=5),
    "digest gone": lone(digest=""),
    "digest of another kind": lone(digest=7),
    "actor of a list": lone(actor=["anna"]),
    "actor without end": lone(actor="a" * 100_000),
    "actor with half a letter": lone(actor="\ud800"),
    "actor with a zero": lone(actor="an\0na"),
    "time of no clock": lone(time="yesterday"),
    "time of no calendar": lone(time="0001-01-01T00:00:00+14:00"),
    "time of the far future": lone(time="9999-12-31T23:59:59-12:00"),
    "kind unknown": lone(kind="forge"),
    "kind of a list": lone(kind=[]),
    "payload of a list": lone(payload=[]),
    "no number of cells": lone(payload={"labels": ["Mine"]}),
    "number of cells of text": with_payload(n_cells="three"),
    "number of cells without end": with_payload(n_cells=10**12),
    "another number of cells": with_payload(n_cells=2),
    "labels of numbers": with_payload(labels=[1]),
    "no labels": with_payload(labels=[]),
    "a label without end": with_payload(labels=["x" * 10_000]),
    "another label than it says": with_payload(labels=["Yours"]),
    "changes of words": with_payload(changes="no"),
    "changes of a label far away": with_payload(changes=[[10**6, BEFORE, AFTER]]),
    "changes of a label before the first": with_payload(changes=[[-1, BEFORE, AFTER]]),
    "a color that is code": with_payload(
        changes=[[0, BEFORE, ["Mine", True, "red;}</style>", "", None]]]
    ),
    "a share of nothing": with_payload(
        changes=[[0, BEFORE, ["Mine", True, "", "", float("nan")]]]
    ),
    "a share without end": with_payload(share=float("inf")),
    "a reason of lists": with_payload(reason=[["x"]]),
    "left out without end": with_payload(left_out=10**9, left_out_rows=BOMB),
    "lists in lists": with_payload(more=json.loads("[" * 50 + "]" * 50)),
    "a number beyond any column": with_payload(more=2**63),
    "a note that changes labels": lone(kind="note", payload=lone()["payload"] | {"text": "x"}),
    "an undo of nothing": lone(kind="undo", payload=lone()["payload"] | {"step": 9, "what": "x"}),
    "a redo of nothing": lone(kind="redo", payload=lone()["payload"] | {"step": 1, "what": "x"}),
    "an undo of a word": lone(kind="undo", payload=lone()["payload"] | {"step": "1", "what": "x"}),
    "a field nobody knows": lone(more=1),
    "an origin of a word": lone(origin="here"),
    "an origin that was brought by nobody": lone(origin={"brought_by": 7, "brought_at": "x"}),
    "a signature of a list": lone(mac=[]),
    "a history without end in it": lone(kind="combine", payload=COMBINED | {"logs": [BOMB]}),
    "a history of nothing in it": lone(kind="combine", payload=COMBINED | {"logs": ["no"]}),
    "a history that is no text in it": lone(
        kind="combine", payload=COMBINED | {"logs": [packed(zlib.compress(b"\xff"))]}
    ),
}  # fmt: skip

MINE = base64.b64encode(pack_values(np.zeros(3, np.int32), np.full(3, 2, np.uint8))).decode()
NONE = base64.b64encode(pack_values(np.full(3, -1, np.int32), np.zeros(3, np.uint8))).decode()
NO_CELLS = {"cells": None, "after": None, "before": None}
UNDO = {"n_cells": 3, "step": 1, "what": "x", "changes": [[0, AFTER, BEFORE]]}
SECOND = {  # after the step of `lone`
    "other labels before it": lone(seq=2, payload=lone()["payload"] | {"changes": []}),
    "an undo of fewer cells": lone(seq=2, kind="undo", payload=UNDO | {"n_cells": 2},
                                   cells=[[3, 4]], after=packed(b"1" + bytes(8)),
                                   before=packed(b"1" + (6).to_bytes(8, "little"))),
    "an undo that keeps the label": lone(seq=2, kind="undo", payload=UNDO | {"changes": []},
                                         after=NONE, before=MINE),
    "two labels of one name": lone(
        seq=2, kind="create", payload={"n_cells": 0, "changes": [[1, BEFORE, AFTER]]}, **NO_CELLS
    ),
    "a label gone that cells have": lone(
        seq=2, kind="delete", payload={"n_cells": 0, "changes": [[0, AFTER, BEFORE]]}, **NO_CELLS
    ),
    "cells that get a label that is gone": lone(
        seq=2, kind="clear", payload={"n_cells": 3, "labels": ["Mine"]}, after=NONE, before=NONE
    ),
    "a label that was another": lone(
        seq=2, kind="rename", **NO_CELLS,
        payload={"n_cells": 0, "to": "B", "changes": [[0, ["A", *AFTER[1:]], ["B", *AFTER[1:]]]]},
    ),
    "a redo of what was not undone": lone(
        seq=2, kind="redo", payload={"n_cells": 0, "step": 1, "what": "x"}, **NO_CELLS
    ),
}  # fmt: skip
