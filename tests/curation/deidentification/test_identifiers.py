import hashlib
import hmac
import uuid

from hypothesis import given
from hypothesis import strategies as st

from wirsung.curation.deidentification.identifiers import keyed_digest, new_uid

KEY = bytes(range(32))


def test_a_digest_is_the_hmac_of_purpose_and_value():
    assert keyed_digest(KEY, "dates", "4711") == hmac.digest(KEY, b"dates\x004711", hashlib.sha256)


@given(st.text(min_size=1, max_size=64), st.text(alphabet=" \0", max_size=3))
def test_padding_does_not_count(patient, padding):
    assert keyed_digest(KEY, "patient", patient.strip(" \0") + padding) == keyed_digest(
        KEY, "patient", patient.strip(" \0")
    )


def test_a_new_uid_is_one_of_the_root_for_uuids():
    made = new_uid(KEY, "1.2.840.113619.2.55")
    number = int(made.removeprefix("2.25."))
    assert made == f"2.25.{uuid.UUID(int=number).int}"
    assert len(made) <= 44


def test_new_uids_differ_by_uid_and_key_and_stay_the_same_otherwise():
    uids = [f"1.2.3.{number}" for number in range(5000)]
    made = [new_uid(KEY, uid) for uid in uids]
    assert len(set(made)) == len(uids)
    assert made == [new_uid(KEY, f"{uid}\0") for uid in uids]
    assert not set(made) & {new_uid(bytes(32), uid) for uid in uids}
