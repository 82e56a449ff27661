"""The data folder: made once, for its owner alone, with secrets that everybody who starts at once agrees on."""

from __future__ import annotations

import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from medusa_auth.data_dir import DataDir
from medusa_auth.errors import SettingsError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> DataDir:
    folder = DataDir(tmp_path / "data")
    folder.make()
    return folder


def test_the_path_is_absolute_wherever_the_process_goes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    folder = DataDir(Path("data"))
    monkeypatch.chdir("/")
    assert folder.path == tmp_path / "data"


def test_the_folder_is_made_with_those_above_it_for_its_owner_alone(tmp_path: Path):
    folder = DataDir(tmp_path / "a" / "b" / "data")
    folder.make()
    assert mode(folder.path) == 0o700


def test_making_it_again_keeps_what_is_in_it(folder: DataDir):
    (folder.path / "kept").write_text("kept")
    folder.make()
    assert (folder.path / "kept").read_text() == "kept"


@pytest.mark.asvs("13.3.2")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path):
    program = (
        "import os, pathlib, sys; from medusa_auth.data_dir import DataDir; os.umask(0);"
        "folder = DataDir(pathlib.Path(sys.argv[1])); folder.make(); folder.secrets('jwt-secret')"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "data")], check=True, timeout=30)
    assert mode(tmp_path / "data") == 0o700
    assert mode(tmp_path / "data" / "jwt-secret") == 0o600


@pytest.mark.asvs("11.2.3")
def test_a_secret_is_256_random_bits_in_a_line_of_its_own_and_nothing_else_is_left(folder: DataDir):
    (secret,) = folder.secrets("jwt-secret")
    assert len(secret) == 43
    assert (folder.path / "jwt-secret").read_text() == secret + "\n"
    assert [each.name for each in folder.path.iterdir()] == ["jwt-secret"]


def test_each_file_has_a_secret_of_its_own_and_each_folder_too(folder: DataDir, tmp_path: Path):
    other = DataDir(tmp_path / "other")
    other.make()
    made = {folder.secrets("jwt-secret"), folder.secrets("cookie-secret"), other.secrets("jwt-secret")}
    assert len(made) == 3


def test_a_secret_that_stands_is_read_and_not_made_again(folder: DataDir):
    first = folder.secrets("jwt-secret")
    assert folder.secrets("jwt-secret") == first


@pytest.mark.asvs("13.3.4")
def test_every_line_is_a_secret_and_empty_lines_are_none(folder: DataDir):
    path = folder.path / "jwt-secret"
    path.write_text("\nnew\n\n  old  \n")
    path.chmod(0o600)
    assert folder.secrets("jwt-secret") == ("new", "old")


@pytest.mark.asvs("13.3.2")
@pytest.mark.parametrize("bits", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o666])
def test_a_secret_that_others_may_do_anything_with_is_refused_without_being_shown(folder: DataDir, bits: int):
    (secret,) = folder.secrets("jwt-secret")
    path = folder.path / "jwt-secret"
    path.chmod(bits)
    with pytest.raises(SettingsError, match=f"{path} can be read by others: `chmod 600 {path}`") as error:
        folder.secrets("jwt-secret")
    assert secret not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\n", b" \t\n\n"])
def test_an_empty_file_is_refused_and_left_as_it_is(folder: DataDir, content: bytes):
    path = folder.path / "jwt-secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=f"{path} is empty"):
        folder.secrets("jwt-secret")
    assert path.read_bytes() == content


def test_a_file_that_is_no_text_is_refused_without_being_shown(folder: DataDir):
    path = folder.path / "jwt-secret"
    path.write_bytes(b"CANARY\xff\xfe")
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=f"{path} cannot be read") as error:
        folder.secrets("jwt-secret")
    assert "CANARY" not in str(error.value)


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_what_is_no_file_is_refused(folder: DataDir, kind: str):
    path = folder.path / "jwt-secret"
    if kind == "folder":
        path.mkdir(0o700)
    else:
        path.symlink_to(folder.path / "nowhere")
    with pytest.raises(SettingsError, match=f"{path} cannot be read"):
        folder.secrets("jwt-secret")


@pytest.mark.parametrize("place", ["data", "data/below"])
def test_where_a_file_stands_no_folder_is_made(tmp_path: Path, place: str):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(SettingsError, match=f"The data folder {tmp_path / place} cannot be made"):
        DataDir(tmp_path / place).make()


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody can reach: pytest's own are for their owner alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(("bits", "below"), [(0o555, ""), (0o555, "data")])
def test_a_folder_that_this_user_cannot_write_is_refused(public_folder: Path, bits: int, below: str):
    public_folder.chmod(bits)
    program = (
        "import os, pathlib, sys\n"
        "from medusa_auth.data_dir import DataDir\n"
        "from medusa_auth.errors import SettingsError\n"
        "if os.geteuid() == 0:\n"
        "    os.setuid(65534)\n"
        "try:\n"
        "    DataDir(pathlib.Path(sys.argv[1])).make()\n"
        "except SettingsError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", program, str(public_folder / below)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    assert said.startswith(f"The data folder {public_folder / below} cannot be ")


def test_all_who_start_at_once_for_the_first_time_read_the_same_secret(tmp_path: Path):
    program = (
        "import pathlib, sys\n"
        "from medusa_auth.data_dir import DataDir\n"
        "folder = DataDir(pathlib.Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "folder.make()\n"
        "print(folder.secrets('jwt-secret')[0])\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data")]
    starting = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for process in starting:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    read = {process.communicate("go\n", timeout=30)[0] for process in starting}
    assert len(read) == 1
    assert [process.returncode for process in starting] == [0] * 6
    assert read == {(tmp_path / "data" / "jwt-secret").read_text()}
