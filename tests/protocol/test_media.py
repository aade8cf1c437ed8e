from __future__ import annotations

import base64
import codecs
import io
import os
import struct
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_text.errors import InvalidRequestError
from hf_text.protocol.media import add_media, build_media_parts, has_media, media_from_base64, media_from_url
from hf_text.protocol.sniff import sniff_media_type

PNG = b"\x89PNG\r\n\x1a\n" + b"rest of a picture"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
MP3 = b"ID3\x04\x00\x00\x00\x00\x00\x00"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
BARE_XML = b'<?xml version="1.0"?>\n<!-- ' + b"long " * 1000 + b"--><svg/>"
URL = "https://example.com/a.png"


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def data_uri(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{encode(data)}"


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def urls(media: Any) -> list[str]:
    return [part["image_url"]["url"] for part in build_media_parts(media)]


def refuse(media: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        build_media_parts(media)
    assert len(str(caught.value)) < 300
    return str(caught.value)


class TestSniffMediaType:
    @pytest.mark.parametrize(
        ("data", "media_type"),
        [
            (PNG, "image/png"),
            (JPEG, "image/jpeg"),
            (b"GIF89a\x01\x00", "image/gif"),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
            (b"II*\x00\x08\x00", "image/tiff"),
            (b"MM\x00*\x00\x08", "image/tiff"),
            (b"\x00\x00\x01\x00\x01\x00", "image/x-icon"),
            (b"BM" + struct.pack("<IIII", 58, 0, 54, 40), "image/bmp"),
            (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1", "image/avif"),
            (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "image/heic"),
            (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "image/avif"),
            (b"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00mif1", "image/heif"),
            (b"\x00\x00\x00\x14ftypisom\x00\x00\x00\x00isom", "video/mp4"),
            (SVG, "image/svg+xml"),
            (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!DOCTYPE svg>\n<!-- <html> -->\n<svg:svg/>', "image/svg+xml"),
            (BARE_XML, "text/xml"),
            (b"<?xml version='1.0'?><note/>", "application/xml"),
            (b"<!DOCTYPE html><svg/>", "text/html"),
            (b"  <HTML><body><svg/>", "text/html"),
            (WAV, "audio/wav"),
            (MP3, "audio/mpeg"),
            (b"ID3 tags are read by players", "text/plain"),
            (b"\xff\xfb\x90\x64", "audio/mpeg"),
            (b"\xff\xf3\x40\xc4", "audio/mpeg"),
            (b"OggS\x00\x02", "audio/ogg"),
            (b"fLaC\x00", "audio/flac"),
            (b"%PDF-1.7", "application/pdf"),
            (b"BMW builds cars, and this is a text", "text/plain"),
            ("Füße".encode(), "text/plain"),
            (b"\xff\xf1\x50\x80\x00", None),  # AAC
            (b"\xff\xfe<\x00s\x00v\x00g\x00", None),  # UTF-16
            (b"\xff\xfb\xf0\x00", None),  # a bit rate that does not exist
            (b"RIFF\x00\x00\x00\x00AVI ", None),
            (b"\x00\x01\x02\x03", None),
            (b"", None),
        ],
    )
    def test_the_type_is_detected_from_the_first_bytes(self, data: bytes, media_type: str | None) -> None:
        assert sniff_media_type(data) == media_type

    @given(st.binary(max_size=64), st.sampled_from([b"", b"<", b"<!--", b"ftyp", b"\xff\xfb", b"BM", b"RIFF"]))
    def test_any_bytes_are_handled(self, data: bytes, start: bytes) -> None:
        sniff_media_type(start + data)
        sniff_media_type(b"\x00\x00\x00\x20" + start + data)


class TestBuildMediaParts:
    @pytest.mark.parametrize("media", [None, [], ()])
    def test_no_media_gives_no_parts(self, media: Any) -> None:
        assert build_media_parts(media) == []

    @pytest.mark.parametrize(
        "url", [URL, "HTTP://EXAMPLE.com:8080/x?y=1#z", "https://[::1]/a.png", "https://bücher.example/ü b.png"]
    )
    def test_a_url_is_passed_on_unchanged(self, url: str) -> None:
        assert build_media_parts(url) == [picture(url)]

    @pytest.mark.parametrize(
        "url",
        [
            "https://",
            "https:///a.png",
            "http://[::1/a",
            "http://x:99999/",
            "https://x/\ny",
            "ftp://x/a.png",
            "s3://b/k",
        ],
    )
    def test_an_unfetchable_url_is_refused(self, url: str) -> None:
        assert refuse(url).startswith("media[0] is not a usable http or https URL: '")

    @pytest.mark.parametrize("make", [bytes, bytearray, memoryview, io.BytesIO])
    def test_bytes_in_every_form_become_a_data_uri(self, make: Any) -> None:
        assert build_media_parts(make(PNG)) == [picture(data_uri(PNG))]

    def test_a_strided_memoryview_is_read_in_order(self) -> None:
        assert urls(memoryview(PNG[::-1])[::-1]) == [data_uri(PNG)]

    def test_audio_becomes_an_audio_part(self) -> None:
        assert build_media_parts([WAV, MP3]) == [
            {"type": "input_audio", "input_audio": {"data": encode(WAV), "format": "wav"}},
            {"type": "input_audio", "input_audio": {"data": encode(MP3), "format": "mp3"}},
        ]

    @pytest.mark.parametrize("make", [str, Path, os.fspath])
    def test_a_path_is_read(self, make: Any, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").write_bytes(PNG)
        assert urls(make(tmp_path / "a.jpg")) == [data_uri(PNG)]

    def test_a_path_with_a_tilde_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        (tmp_path / "a.png").write_bytes(PNG)
        assert urls("~/a.png") == [data_uri(PNG)]

    def test_a_file_is_read_from_its_current_position(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"head" + PNG)
        with open(tmp_path / "a", "rb") as file:
            file.seek(4)
            assert urls(file) == [data_uri(PNG)]

    def test_several_items_keep_their_order(self) -> None:
        assert urls([PNG, URL, JPEG]) == [data_uri(PNG), URL, data_uri(JPEG, "image/jpeg")]

    @pytest.mark.parametrize(
        ("media", "count"),
        [
            ((PNG, "a.png"), 1),
            ((io.BytesIO(PNG), "a.png"), 1),
            ((PNG, None), 1),
            ((PNG, URL), 2),
            ((PNG, data_uri(PNG)), 2),
            ((URL, URL), 2),
            ((PNG, PNG), 2),
            (((PNG, "a.png"), URL), 2),
            ([(URL, "a.png"), (data_uri(PNG), None)], 2),
        ],
    )
    def test_a_tuple_is_a_named_item_or_several(self, media: Any, count: int) -> None:
        assert len(build_media_parts(media)) == count

    def test_two_paths_in_a_tuple_are_two_items(self, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / name).write_bytes(PNG + name.encode())
        assert urls((str(tmp_path / "a"), str(tmp_path / "b"))) == [data_uri(PNG + b"a"), data_uri(PNG + b"b")]
        assert urls((tmp_path / "a", str(tmp_path / "b"))) == [data_uri(PNG + b"a"), data_uri(PNG + b"b")]

    def test_a_file_name_never_overrides_the_bytes(self) -> None:
        assert urls([(PNG, "a.svg"), (PNG, "a.wav")]) == [data_uri(PNG)] * 2
        assert "is text/plain" in refuse([(b"no picture", "a.svg")])
        assert "is application/xml" in refuse([(b"<note/>", "a.svg")])

    def test_a_file_name_decides_ambiguous_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "a.SVG").write_bytes(BARE_XML)
        expected = data_uri(BARE_XML, "image/svg+xml")
        assert urls([(BARE_XML, "a.svg"), tmp_path / "a.SVG", data_uri(BARE_XML, "image/svg+xml")]) == [expected] * 3
        with open(tmp_path / "a.SVG", "rb") as file:
            assert urls(file) == [expected]
        assert "is text/xml" in refuse(BARE_XML)

    @pytest.mark.parametrize(
        "uri",
        [
            data_uri(PNG),
            data_uri(PNG, "image/jpeg"),
            data_uri(PNG, "application/octet-stream"),
            data_uri(PNG, "image/png;name=a.png"),
            data_uri(PNG).replace("data:", "DATA:").replace("base64", "Base64"),
            "data:image/png;base64," + encode(PNG)[:8] + "\r\n  " + encode(PNG)[8:],
            "data:image/png;base64," + encode(PNG).replace("=", "%3D").replace("+", "%2B"),
            "data:image/png," + "".join(f"%{byte:02x}" for byte in PNG),
        ],
    )
    def test_a_data_uri_is_normalised_with_the_detected_type(self, uri: str) -> None:
        assert urls(uri) == [data_uri(PNG)]

    def test_audio_in_a_data_uri_becomes_an_audio_part(self) -> None:
        assert build_media_parts(data_uri(MP3, "audio/mp3")) == build_media_parts(MP3)

    @pytest.mark.parametrize(
        ("uri", "words"),
        [
            ("data:", "media[0] is a data URI without a media type: 'data:'"),
            (f"data:;base64,{encode(PNG)}", "media[0] is a data URI without a media type: 'data:;base64,"),
            ("data:image/png;base64", "media[0] is a data URI without a media type"),
            ("data:image/png;base64,ab!d", "media[0] is a data URI with broken base64: 'data:image/png;base64,ab!d'"),
            ("data:image/png;base64,abc", "broken base64"),
            ("data:image/png;base64,äbcd", "broken base64"),
            ("data:image/png;base64,", "media[0] must be a picture, or WAV or MP3 audio, but is empty"),
            (data_uri(b"hello"), "but is text/plain (length: 5)"),
            (data_uri(b"%PDF-1.7", "application/pdf"), "but is application/pdf"),
        ],
    )
    def test_a_data_uri_without_media_is_refused(self, uri: str, words: str) -> None:
        assert words in refuse(uri)

    @pytest.mark.parametrize(
        ("media", "words"),
        [
            (b"", "media[0] must be a picture, or WAV or MP3 audio, but is empty"),
            (io.BytesIO(), "but is empty"),
            (b"hello", "but is text/plain (length: 5)"),
            (b"<!doctype html><p>404", "but is text/html (length: 21)"),
            (b"OggS\x00\x02", "but is audio/ogg"),
            (b"\x00\x01\x02\x03" * 10**6, "but is bytes of no known type (length: 4000000)"),
            ([URL, None], "media[1] must be a URL, a data URI, a path, bytes, a binary file or a PIL image, not None"),
            (42, "media[0] must be a URL, a data URI, a path, bytes, a binary file or a PIL image, not int: 42"),
            ({"url": URL}, "not dict: {'url': "),
            ([[URL]], "not list: ["),
            ([(PNG, "a", "b")], "media[0] must be an item of media or a tuple (item, file name), not tuple: "),
            ([(PNG, 1)], "media[0] must be an item of media or a tuple (item, file name)"),
            (io.StringIO("<svg/>"), "media[0] is a file in text mode, open it with mode 'rb'"),
            ("no/such/file.png", "media[0] cannot be read: No such file or directory: 'no/such/file.png'"),
            (Path("no/such/file.png"), "media[0] cannot be read: No such file"),
            ("", "media[0] cannot be read: No such file"),
            ("a\0b", "media[0] cannot be read: embedded null byte"),
            ("x" * 10**6, "media[0] cannot be read: File name too long"),
        ],
    )
    def test_invalid_media_is_refused_with_position_and_type(self, media: Any, words: str) -> None:
        assert words in refuse(media)

    def test_a_directory_is_refused(self, tmp_path: Path) -> None:
        assert refuse(tmp_path).startswith("media[0] cannot be read: Is a directory: '")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_a_named_pipe_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert refuse(tmp_path / "pipe").startswith("media[0] cannot be read: Not a regular file: '")

    def test_a_closed_file_is_refused(self) -> None:
        file = io.BytesIO(PNG)
        file.close()
        assert refuse(file).startswith("media[0] cannot be read: I/O operation on closed file")

    def test_a_file_open_for_writing_is_refused(self, tmp_path: Path) -> None:
        with open(tmp_path / "a", "wb") as file:
            assert refuse(file).startswith("media[0] cannot be read: ")

    def test_a_text_file_object_is_refused(self) -> None:
        class TextFile:
            def read(self) -> str:
                return "text"

        assert refuse(TextFile()) == "media[0].read() must return bytes (is the file open in mode 'rb'?), not str"


def tell_all(error: BaseException) -> Iterator[str]:
    """The error as a crash report shows it, with the variables of each frame of the library."""
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    return traceback.TracebackException(type(error), error, frames, capture_locals=True).format()


SECRET = "hf_DoNotShowThis0123456789"


class TestFilesOfOthers:
    """Someone who names a path must not see the file's contents."""

    @pytest.fixture
    def token(self, tmp_path: Path) -> Path:
        path = tmp_path / "token"
        path.write_text(SECRET)
        return path

    @pytest.mark.parametrize(
        "content",
        [
            SECRET.encode(),
            f"<html>{SECRET}</html>".encode(),
            f"<note>{SECRET}</note>".encode(),
            b"%PDF-1.7 " + SECRET.encode(),
            b"\x00\x01" + SECRET.encode(),
            SECRET.encode("utf-16"),
            SECRET.encode() * 1000,
        ],
        ids=lambda content: repr(content[:12]),
    )
    def test_no_byte_of_a_file_is_in_the_error_or_traceback(self, token: Path, content: bytes) -> None:
        token.write_bytes(content)
        with open(token, "rb") as file:
            for media in (token, str(token), (token, "cat.png"), [(str(token), "cat.svg")], file):
                with pytest.raises(InvalidRequestError, match=r"must be a picture, .* but is") as caught:
                    build_media_parts(media)
                shown = "".join(tell_all(caught.value))
                assert "DoNotShow" not in shown
                assert "D\\x00o\\x00N" not in shown
                file.seek(0)

        assert "DoNotShow" not in refuse(content)

    def test_the_content_of_a_text_file_object_is_not_shown(self, token: Path) -> None:
        with codecs.open(str(token), encoding="utf-8") as file:
            assert "DoNotShow" not in refuse(file)

    def test_a_file_is_read_only_as_far_as_needed_to_reject_it(self, tmp_path: Path) -> None:
        with open(tmp_path / "long", "wb") as file:
            file.write(b"text")
            file.truncate(2**40)  # sparse: reading all of it would exhaust memory
        assert "but is bytes of no known type" in refuse(tmp_path / "long")

    def test_a_base64_picture_mistaken_for_a_path_is_not_shown(self) -> None:
        assert refuse(encode(PNG * 100)).endswith(". A str is a path; for base64 pass hf_text.media_from_base64(…)")


class TestMediaFromUrl:
    @pytest.mark.parametrize(
        "url", [URL, "HTTP://example.com", f" {URL}\n", data_uri(PNG), "DATA:image/png;base64,QQ=="]
    )
    def test_urls_and_data_uris_are_accepted(self, url: str) -> None:
        assert media_from_url(url) == url.strip()

    @pytest.mark.parametrize(
        "url",
        [
            "cat.png",
            "/etc/passwd",
            "~/.cache/huggingface/token",
            "file:///etc/passwd",
            "FILE:/etc/passwd",
            "ftp://x/a.png",
            "",
            encode(PNG),
            "http:",
            "https://",
            Path("/etc/passwd"),
            b"GIF8",
            None,
        ],
    )
    def test_other_values_are_refused(self, url: Any) -> None:
        with pytest.raises(InvalidRequestError, match=r"^url (must be an http or https URL|is not a usable)"):
            media_from_url(url)

    def test_a_file_url_is_accepted_on_request(self, tmp_path: Path) -> None:
        (tmp_path / "ü b.png").write_bytes(PNG)
        url = (tmp_path / "ü b.png").as_uri()
        assert urls(media_from_url(url, allow_files=True)) == [data_uri(PNG)]
        assert urls(media_from_url(url.replace("file://", "file://localhost"), allow_files=True)) == [data_uri(PNG)]
        assert media_from_url(URL, allow_files=True) == URL
        for wrong in ("file://elsewhere/a.png", "file:a.png", "cat.png"):
            with pytest.raises(InvalidRequestError, match=r"^url must be "):
                media_from_url(wrong, allow_files=True)

    def test_a_file_url_is_refused_by_default_with_the_alternative(self) -> None:
        assert "with hf_text.media_from_url(…, allow_files=True)" in refuse("file:///tmp/cat.png")


class TestMediaFromBase64:
    @pytest.mark.parametrize(
        "text",
        [
            encode(PNG),
            encode(PNG).encode(),
            encode(PNG).rstrip("="),
            f" {encode(PNG)[:9]}\r\n{encode(PNG)[9:]}\n",
            base64.urlsafe_b64encode(PNG).decode(),
        ],
    )
    def test_base64_is_decoded(self, text: Any) -> None:
        assert media_from_base64(text) == PNG
        assert urls(media_from_base64(text)) == [data_uri(PNG)]

    @pytest.mark.parametrize("text", ["cat.png", "äöüß", "abcde", data_uri(PNG), "\ud800", 5, None])
    def test_invalid_base64_is_refused_and_not_shown(self, text: Any) -> None:
        with pytest.raises(
            InvalidRequestError, match=r"^text (is not base64|must be base64 in a str or bytes)"
        ) as caught:
            media_from_base64(text)
        assert text is None or str(text) not in str(caught.value)


class TestPilImages:
    @pytest.fixture(autouse=True)
    def _pillow(self) -> None:
        pytest.importorskip("PIL")

    @staticmethod
    def open_image(url: str) -> Any:
        from PIL import Image

        return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))

    @pytest.mark.parametrize(
        "mode",
        ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "HSV", "LAB", "PA", "RGBa", "La"],
    )
    def test_a_picture_in_memory_of_any_mode_is_sent_as_png(self, mode: str) -> None:
        from PIL import Image

        (url,) = urls(Image.new(mode, (3, 2)))
        assert url.startswith("data:image/png;base64,")
        assert self.open_image(url).size == (3, 2)

    def test_transparency_is_kept(self) -> None:
        from PIL import Image

        (url,) = urls(Image.new("RGBA", (1, 1), (10, 20, 30, 40)))
        assert self.open_image(url).getpixel((0, 0)) == (10, 20, 30, 40)

    @pytest.mark.parametrize(
        ("read_as", "sent_as"), [("JPEG", "jpeg"), ("WEBP", "webp"), ("PNG", "png"), ("GIF", "png"), ("BMP", "png")]
    )
    def test_a_picture_from_a_file_keeps_a_supported_format(self, read_as: str, sent_as: str) -> None:
        from PIL import Image

        file = io.BytesIO()
        Image.new("RGB", (3, 2)).save(file, read_as)
        (url,) = urls(Image.open(file))
        assert url.startswith(f"data:image/{sent_as};base64,")

    def test_a_jpeg_with_added_transparency_is_sent_as_png(self) -> None:
        from PIL import Image

        file = io.BytesIO()
        Image.new("RGB", (3, 2)).save(file, "JPEG")
        image = Image.open(file)
        image.putalpha(7)
        (url,) = urls(image)
        assert self.open_image(url).getpixel((0, 0))[3] == 7

    def test_empty_closed_and_truncated_pictures_are_refused(self) -> None:
        from PIL import Image

        file = io.BytesIO()
        Image.effect_noise((99, 99), 50).save(file, "JPEG")
        closed = Image.new("RGB", (1, 1))
        closed.close()
        truncated = Image.open(io.BytesIO(file.getvalue()[:-999]))
        for image in (Image.new("RGB", (0, 0)), closed, truncated):
            assert refuse([image]).startswith("media[0] cannot be saved as ")


class TestAddMedia:
    PART = picture(URL)

    def test_parts_follow_the_text_of_the_last_user_message(self) -> None:
        messages = [
            {"role": "user", "content": "a"},
            {"role": "user", "content": "b", "name": "Ann"},
            {"role": "assistant", "content": "c"},
        ]
        assert add_media(messages, URL) == [
            messages[0],
            {"role": "user", "content": [{"type": "text", "text": "b"}, self.PART], "name": "Ann"},
            messages[2],
        ]

    def test_parts_follow_existing_parts(self) -> None:
        before = [{"type": "text", "text": "a"}, picture(data_uri(PNG))]
        assert add_media([{"role": "user", "content": before}], URL) == [
            {"role": "user", "content": [*before, self.PART]}
        ]

    def test_empty_text_adds_no_part(self) -> None:
        assert add_media([{"role": "user", "content": ""}], URL) == [{"role": "user", "content": [self.PART]}]

    def test_without_a_user_message_one_is_added(self) -> None:
        system = {"role": "system", "content": "a"}
        assert add_media([system], URL) == [system, {"role": "user", "content": [self.PART]}]

    def test_the_messages_of_the_caller_are_not_modified(self) -> None:
        content = [{"type": "text", "text": "a"}]
        messages = [{"role": "user", "content": content}]
        assert add_media(messages, URL) != messages
        assert add_media(messages, None) is not messages
        assert messages == [{"role": "user", "content": [{"type": "text", "text": "a"}]}]
        assert messages[0]["content"] is content


class TestHasMedia:
    @pytest.mark.parametrize("media", [URL, PNG, WAV])
    def test_pictures_and_audio_are_found(self, media: Any) -> None:
        assert has_media(add_media([{"role": "user", "content": "a"}, {"role": "assistant"}], media))

    def test_text_is_not_media(self) -> None:
        assert not has_media(
            [{"role": "user", "content": "image_url"}, {"role": "user", "content": [{"type": "text"}]}]
        )


def test_media_types_are_accepted_by_a_type_checker(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(PNG)
    file: IO[bytes] = io.BytesIO(PNG)
    paths: list[Path] = [tmp_path / "a"]
    assert build_media_parts(file) == build_media_parts(paths)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_a_picture_is_rotated_by_its_exif_orientation(self, orientation: int, kind: str) -> None:
        from PIL import Image, ImageOps

        upright = Image.new("RGB", (48, 32), "white")
        upright.paste("red", (0, 0, 16, 16))
        upright.paste("blue", (32, 16, 48, 32))
        stored = next(
            turned
            for turned in (upright, *(upright.transpose(method) for method in Image.Transpose))
            if same(ImageOps.exif_transpose(oriented(turned, orientation, "PNG")), upright)
        )
        (url,) = urls(oriented(stored, orientation, kind))
        sent = self.open_image(url)
        assert same(sent, upright)
        assert 0x0112 not in sent.getexif()

    def test_broken_exif_data_is_ignored(self) -> None:
        from PIL import Image

        picture = Image.new("RGB", (3, 2))
        picture.info["exif"] = b"Exif\x00\x00broken"
        (url,) = urls(picture)
        assert self.open_image(url).size == (3, 2)


def oriented(picture: Any, orientation: int, kind: str) -> Any:
    """The picture as a file of this type, with this orientation in its EXIF data."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, kind, exif=exif.tobytes(), quality=95)
    return Image.open(buffer)


def same(one: Any, other: Any) -> bool:
    """Whether two pictures look the same, apart from compression artefacts."""
    from PIL import ImageChops

    if one.size != other.size:
        return False
    difference = ImageChops.difference(one.convert("RGB"), other).resize((1, 1), 4)  # 4: the mean
    return sum(difference.getpixel((0, 0))) < 20
