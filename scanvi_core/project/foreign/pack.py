"""What a pack may hold, and how large it may be."""

from collections.abc import Mapping
from typing import Any

from scanvi_core import keys
from scanvi_core.errors import SettingInvalid
from scanvi_core.project import pack
from scanvi_core.project.foreign.members import Layout
from scanvi_core.project.names import clean_label
from scanvi_core.project.records import ModelRecord
from scanvi_core.type_tree import check_parents, of_one
from scanvi_core.typed import taken

MOST_BYTES = 2**28  # of the file: the usual one has 5 MB
TEXT_BYTES = 2**25
WEIGHT_BYTES = 2**28
HINT = f"Choose a file that the Export page wrote: its name ends in {pack.ENDING}."
TEXTS = ("README.txt", "settings.json", "summary.json", "methods.txt")  # for people
KEPT = (pack.ANNOTATOR, pack.WEIGHTS, pack.LINEAR, pack.SHAPES)
LAYOUT = Layout(
    what="pack",
    whole="annotation",
    hint=HINT,
    again="Have it written once more, or copied again; it may also be made to do harm.",
    sizes={
        r"pack\.json": TEXT_BYTES,
        r"README\.txt|methods\.txt": 2**20,
        r"(settings|summary)\.json": TEXT_BYTES,
        r"model/annotator\.json": TEXT_BYTES,
        r"model/(model|companions|shapes)\.safetensors": WEIGHT_BYTES,
    },
    needed=frozenset({pack.RECORD, *KEPT}),
    most_members=20,
)


def check_record(plain: Any, model_plain: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the record of a pack and of its model, as far as this program knows them.

    Raises
    ------
    FileRefused
        If they do not belong together.
    Mistyped
        If a value is of another kind.
    """
    number = plain.get("format") if isinstance(plain, dict) else None
    if type(number) is int and number > pack.FORMAT:
        raise LAYOUT.is_none(f"it has format {number}, and this version reads {pack.FORMAT}")
    record = taken(plain, pack.PackRecord, pack.RECORD)
    model = taken(model_plain, ModelRecord, pack.ANNOTATOR)
    names, genes = model["label_names"], model["genes"]
    for listed in (names, genes, model["batch_names"]):
        if not listed or len(set(listed)) < len(listed):
            raise LAYOUT.damaged("its model has no names, or one twice")
    if keys.UNKNOWN in names or not all(map(_is_clean, names)):
        raise LAYOUT.damaged("a type in it has a name that none can have")
    _check_parents(record, model, plain)
    if [each["name"] for each in record["types"]] != names:
        raise LAYOUT.damaged("its types are not those of its model")
    if not len(genes) == len(record["symbols"]) == len(record["ids"]):
        raise LAYOUT.damaged("its genes are not those of its model")
    return record, model


def _is_clean(name: str) -> bool:
    try:
        return clean_label(name) == name
    except SettingInvalid:
        return False


def _check_parents(record: dict[str, Any], model: Mapping[str, Any], plain: Any) -> None:
    """Give a record of version 1 the parents of its types; refuse those that cannot be."""
    if record["format"] == 1:
        groups = ((each["name"], each.get("group")) for each in plain["types"])
        record |= {"parents": {name: [group] for name, group in groups if group}}
    parents = record.get("parents", {})
    names = {*parents, *(name for above in parents.values() for name in above)}
    if parents != model["parents"] or not all(
        map(_is_clean, names | record.get("terms", {}).keys())
    ):
        raise LAYOUT.damaged("its broader types are not those of its model")
    try:
        check_parents(of_one(parents))
    except SettingInvalid as error:
        raise LAYOUT.damaged(f"in it {error.message}") from error
