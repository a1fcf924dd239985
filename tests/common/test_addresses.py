import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.common.storage.addresses import redacted, refuse_keys
from d2ace.pipeline.common.storage.locations import Location


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://KEY:SECRET@bucket/x", "s3://***@bucket/x"),
        ("s3://KEY:SEC/RE+T@bucket/x?region=eu", "s3://***@bucket/x"),
        ("cannot read s3://KEY:S@T@bucket", "cannot read s3://***@bucket"),
        ("s3://KEY@bucket/x", "s3://***@bucket/x"),
        ("https://host/x.jpg?X-Amz-Signature=SECRET", "https://host/x.jpg"),
        ("s3://anonymous@bucket/x?region=eu", "s3://anonymous@bucket/x"),
        ("s3://bucket/mail@host/x", "s3://bucket/mail@host/x"),
        ("photos/a@b.jpg", "photos/a@b.jpg"),
        ("x" * 100 + "s3://KEY:SECRET@bucket", "x" * 100 + "s3://***@bucket"),
        ("x" * 300_000, "x" * 300_000),  # minutes, where its signs are looked at again from each of them
    ],
)
def test_no_key_is_shown(text, shown):
    assert redacted(text) == shown


@pytest.mark.parametrize("uri", ["s3://KEY:SECRET@bucket/x", "gs://KEY:SEC/RET@bucket", "ftp://KEY:SECRET@host/x"])
def test_an_address_with_keys_is_refused_without_showing_them(uri):
    for call in (Location.of, refuse_keys):
        with pytest.raises(DataError, match=r"://\*\*\*@.*AWS_SECRET_ACCESS_KEY") as caught:
            call(uri)
        assert "KEY:" not in str(caught.value) and "RET" not in str(caught.value).replace("SECRET_ACCESS", "")


def test_an_error_of_an_address_does_not_show_its_query():
    with pytest.raises(DataError) as caught:
        Location.of("s3://bucket/x?secret_key=TOKEN")
    assert "TOKEN" not in str(caught.value)
