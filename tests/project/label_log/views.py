"""What a user sees of labels, and a way to change the file behind the program's back."""

import json

from sqlalchemy import create_engine, text

N = 40


def names_of(state):
    """Return the label of each cell, None without one: codes and names in one view."""
    return [state.names[code] if code >= 0 else None for code in state.codes]


def seen(state):
    """Return everything a user can see of a state, for comparison."""
    return (
        names_of(state),
        state.sources.tolist(),
        state.holdout.tolist(),
        state.active,
        state.parents,
        state.prior,
        state.colors,
    )


def content(lines):
    """Return what the lines of a log say, without where it is from and who vouches for it."""
    told = [json.loads(line) for line in lines]
    return [{k: v for k, v in entry.items() if k not in ("origin", "mac")} for entry in told]


def sql(folder, statement):
    engine = create_engine(f"sqlite:///{folder}/project.db")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
