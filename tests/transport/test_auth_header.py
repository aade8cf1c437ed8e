"""The key on the wire: a header of each request, and masked in displayed text."""

import copy
import pickle

import pytest
import requests

from hf_text.transport.session import BearerAuth

SECRET = "hf_Secret0123456789"


def shows_no_secret(error):
    """No part of the key appears in the error, nor in a traceback or crash report of it."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return not any("Secret" in text or "0123" in text for text in texts)


# --- BearerAuth


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    """A netrc file with a password for the tests' host."""
    path = tmp_path / "netrc"
    path.write_text("machine hub.invalid login user password wrong\n")
    monkeypatch.setenv("NETRC", str(path))


def header(auth, url="https://hub.invalid/x", **headers):
    request = requests.Request("GET", url, headers=headers, auth=auth)
    with requests.Session() as session:
        return session.prepare_request(request).headers.get("Authorization")


def test_the_key_is_sent_as_a_bearer_token():
    assert header(BearerAuth(SECRET)) == f"Bearer {SECRET}"


@pytest.mark.usefixtures("netrc")
def test_a_netrc_entry_for_the_host_is_not_used_with_or_without_a_key():
    assert header(None).startswith("Basic ")
    assert header(BearerAuth(SECRET)) == f"Bearer {SECRET}"
    assert header(BearerAuth(None)) is None


def test_a_password_in_the_url_is_not_used_with_or_without_a_key():
    url = "https://user:wrong@other.invalid/x"
    assert header(None, url).startswith("Basic ")
    assert header(BearerAuth(SECRET), url) == f"Bearer {SECRET}"
    assert header(BearerAuth(None), url) is None


def test_a_key_replaces_a_custom_header_and_none_keeps_it():
    assert header(BearerAuth(SECRET), Authorization="Token mine") == f"Bearer {SECRET}"
    assert header(BearerAuth(None), Authorization="Token mine") == "Token mine"


def test_neither_repr_nor_str_shows_the_key():
    for text in (repr(BearerAuth(SECRET)), str(BearerAuth(SECRET)), f"{[BearerAuth(SECRET)]}"):
        assert SECRET not in text
    assert repr(BearerAuth(None)) != repr(BearerAuth(SECRET))


def test_equal_keys_make_equal_objects():
    assert BearerAuth(SECRET) == BearerAuth(SECRET)
    assert hash(BearerAuth(SECRET)) == hash(BearerAuth(SECRET))
    assert BearerAuth(SECRET) != BearerAuth("other")
    assert BearerAuth(SECRET) != SECRET


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_cannot_be_pickled_or_copied(take):
    with pytest.raises(TypeError, match="key") as caught:
        take(BearerAuth(SECRET))
    assert shows_no_secret(caught.value)


def test_a_session_that_holds_it_cannot_be_pickled():
    with requests.Session() as session:
        session.auth = BearerAuth(SECRET)
        with pytest.raises(TypeError, match="key"):
            pickle.dumps(session)
