"""Gives what is stored of a customer attribute the type that it has now."""

import math

import orjson
from sqlalchemy import Connection, bindparam, select, update

from recsys.storage.schema import customers
from recsys.storage.staging import BATCH


def retype(connection: Connection, attribute: str, type_: str) -> int:
    """Make what is stored of an attribute a value of its new type; return how many customers lose one that is none."""
    stored = (
        select(customers.c.customer_id, customers.c.attributes)
        .where(customers.c.attributes.contains(orjson.dumps(attribute).decode(), autoescape=True))
        .where(customers.c.customer_id > bindparam("after"))
        .order_by(customers.c.customer_id)
        .limit(BATCH)
    )
    change = update(customers).where(customers.c.customer_id == bindparam("key")).values(attributes=bindparam("new"))
    after, lost = "", 0
    while rows := connection.execute(stored, {"after": after}).all():
        after = rows[-1][0]
        changed = []
        for customer_id, text_ in rows:
            values = orjson.loads(text_)
            if (old := values.pop(attribute, None)) is None or (new := _as_type(old, type_)) is old:
                continue
            if new is None:
                lost += 1
            else:
                values[attribute] = new
            changed.append({"key": customer_id, "new": orjson.dumps(values).decode()})
        if changed:
            connection.execute(change, changed)
    return lost


def _as_type(value: object, type_: str) -> object:
    """Return the value as one of the type, itself when it is one, None when it cannot be."""
    if type_ == "text":
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    if type_ == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
    if isinstance(value, bool) or not isinstance(value, str):
        return None if isinstance(value, bool) else value
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
