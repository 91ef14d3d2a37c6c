import functools
import hashlib
import http.server
import io
import shutil
import tarfile
import threading

import pytest

from stackgan.data.archive import check_archive, download_cub, is_official, unpack_cub
from stackgan.data.cub import read_cub
from stackgan.errors import UserError


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def archive(make_cub, tmp_path):
    """As the official one: CUB_200_2011/ and attributes.txt side by side."""
    root = make_cub(captions=False, attributes={1: [1]}, root=tmp_path / "made" / "CUB_200_2011")
    path = tmp_path / "CUB_200_2011.tgz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(root, "CUB_200_2011")
        tar.add(root.parent / "attributes.txt", "attributes.txt")
    return path


def hostile(path, member):
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def test_an_unpacked_archive_is_read_by_the_reader(archive, tmp_path):
    root = unpack_cub(archive, tmp_path / "cache", md5=md5(archive))
    source = read_cub(root)
    assert len(source.records) == 20 and source.records[0].attributes.tolist() == [1, 0, 0, 0]


def test_unpacking_again_does_nothing(archive, tmp_path):
    checksum = md5(archive)
    root = unpack_cub(archive, tmp_path / "cache", md5=checksum)
    archive.unlink()
    assert unpack_cub(archive, tmp_path / "cache", md5=checksum) == root


@pytest.mark.parametrize("form", ["tgz", "zip", "nested"])
def test_an_archive_that_was_packed_anew_is_read_as_it_is(archive, tmp_path, form):
    official = unpack_cub(archive, tmp_path / "cache", md5=md5(archive))
    assert is_official(official, md5(archive))
    again = tmp_path / ("again.zip" if form == "zip" else "again.tar")
    if form == "zip":
        shutil.make_archive(str(again.with_suffix("")), "zip", tmp_path / "made")
    else:
        with tarfile.open(again, "w") as tar:
            tar.add(tmp_path / "made", "CUB_200_2011" if form == "nested" else ".")
    root = unpack_cub(again, tmp_path / "cache", md5=md5(archive))
    assert root != official and not is_official(root, md5(archive))
    assert [r.captions for r in read_cub(root).records] == [r.captions for r in read_cub(official).records]


def test_another_archive_at_the_same_place_is_unpacked_anew(archive, make_cub, tmp_path):
    first = unpack_cub(archive, tmp_path / "cache", md5=md5(archive))
    make_cub((1, 2), captions=False, attributes={1: [1]}, root=tmp_path / "other" / "CUB_200_2011")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "other", ".")
    second = unpack_cub(archive, tmp_path / "cache", md5=md5(archive))
    assert second != first and len(read_cub(second).records) == 8


@pytest.mark.parametrize("kind", ["parent", "link"])
def test_an_archive_that_wants_out_is_refused(tmp_path, kind):
    member = tarfile.TarInfo("../outside.txt" if kind == "parent" else "CUB_200_2011")
    if kind == "parent":
        member.size = 3
    else:
        member.type, member.linkname = tarfile.SYMTYPE, "/etc"
    path = hostile(tmp_path / "bad.tgz", member)
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack_cub(path, tmp_path / "cache" / "deep", md5=md5(path))
    assert not list((tmp_path / "cache").rglob("*.txt"))
    assert not list((tmp_path / "cache" / "deep").iterdir())


def test_a_cut_off_archive_leaves_nothing_behind(archive, tmp_path):
    cut = tmp_path / "cut.tgz"
    cut.write_bytes(archive.read_bytes()[:-300])
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack_cub(cut, tmp_path / "cache", md5=md5(cut))
    assert not list((tmp_path / "cache").iterdir())


def test_another_archive_is_refused(tmp_path):
    member = tarfile.TarInfo("readme.txt")
    member.size = 3
    path = hostile(tmp_path / "other.tgz", member)
    with pytest.raises(UserError, match=r"holds no CUB_200_2011/images\.txt"):
        unpack_cub(path, tmp_path / "cache", md5=md5(path))


def test_a_missing_archive_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        unpack_cub(tmp_path / "no.tgz", tmp_path)


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """Serves one body, from a byte on when asked to, and remembers what was asked."""

    def __init__(self, body, asked, *args):
        self.body, self.asked = body, asked
        super().__init__(*args)

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(self.body) - start))
        self.end_headers()
        self.wfile.write(self.body[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(body):
        asked = []
        server = http.server.HTTPServer(("127.0.0.1", 0), functools.partial(RangeHandler, body, asked))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/CUB_200_2011.tgz", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_download_goes_on_where_it_broke_off(serve, tmp_path):
    body = bytes(range(256)) * 4000
    url, asked = serve(body)
    (tmp_path / "CUB_200_2011.tgz.part").write_bytes(body[:5000])
    path = download_cub(tmp_path, url=url, md5=hashlib.md5(body).hexdigest())
    assert path.read_bytes() == body and asked == ["bytes=5000-"]
    assert download_cub(tmp_path, url=url) == path and len(asked) == 1  # it is there: no request, no check
    assert list(tmp_path.iterdir()) == [path]


def test_a_download_with_a_wrong_checksum_is_not_kept(serve, tmp_path):
    url, _ = serve(b"something else")
    with pytest.raises(UserError, match="MD5"):
        download_cub(tmp_path, url=url)
    assert list(tmp_path.iterdir()) == []


def test_no_network_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"cannot be downloaded.*data.archive=<file>.*data=birds"):
        download_cub(tmp_path, url="http://127.0.0.1:9/CUB_200_2011.tgz", timeout=2)


def test_what_is_no_archive_is_told_before_anything_is_shown(archive, tmp_path, capfd):
    page = tmp_path / "CUB.html"
    page.write_text("<html>log in first</html>")
    with pytest.raises(UserError, match="is no tar or zip archive"):
        check_archive(page, tmp_path / "cache")
    check_archive(archive, tmp_path / "cache")
    assert capfd.readouterr().err == ""
