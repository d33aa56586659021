"""A process that records outcomes as fast as it can and says each key once it is acknowledged; tests kill it."""

import sys

from recsys.storage.database import open_database
from tests.builders import NOW, a_contact, a_customer
from tests.recsys.storage.test_decision_log import a_record, an_outcome


def main(url: str, name: str) -> None:
    """Record outcomes under keys that begin with `name`, until killed."""
    database = open_database(url)
    with database.transaction(name) as log:
        log.add_customer(a_customer(customer_id=name), NOW)
        log.add_contact(a_contact(contact_id=name, customer_id=name))
        log.add_decision(a_record(name, contact_id=name, customer_id=name), log.next_sequence(name))
    number = 0
    while True:
        key = f"{name}-{number}"
        outcome = an_outcome(outcome_id=key, decision_id=name, contact_id=name, customer_id=name)
        with database.transaction(name) as log:
            log.add_outcome(outcome, key, "digest", {"outcome_id": key})
        sys.stdout.write(f"{key}\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
