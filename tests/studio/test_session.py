"""The folder of a tab."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdream.apps.arguments import as_overrides
from deepdream.schema import compose
from deepdream.studio.session import Session, Workspace, _safe_name
from deepdream.studio.uploads import take, uploaded_file


@given(st.text(max_size=300))
def test_the_name_of_an_upload_is_one_file_name_that_the_command_line_takes_as_it_is(name: str) -> None:
    safe = _safe_name(name)
    assert Path(safe).name == safe
    assert Path(safe).suffix
    assert len(os.fsencode(safe)) < 255
    assert not safe.startswith((".", "-", " "))
    assert as_overrides("dream", [f"image={safe}"])[0].strip("'").endswith(safe)


def test_files_of_a_session_have_different_names_unless_they_are_the_same(tmp_path: Path) -> None:
    session = Session("key", tmp_path)
    first, second = session.keep(b"a", "photo.jpg"), session.keep(b"b", "Photo.jpg")
    assert [first.name, second.name] == ["photo.jpg", "Photo_2.jpg"]
    assert session.keep(b"a", "other.jpg") == first
    assert compose("dream", as_overrides("dream", [f"image={second.name}"])).image == "Photo_2.jpg"


def test_a_file_of_the_user_is_copied_before_something_is_written_beside_it(tmp_path: Path) -> None:
    session = Session("key", tmp_path / "session")
    (tmp_path / "mine.png").write_bytes(b"mine")
    own = session.own(tmp_path / "mine.png")
    assert own.is_relative_to(session.folder)
    assert session.own(own) == own


def test_an_upload_is_one_only_below_the_folder_of_all_tabs(tmp_path: Path) -> None:
    workspace = Workspace()
    try:
        inside = workspace.uploads / "photo.png"
        inside.write_bytes(b"photo")
        (workspace.uploads / "link.png").symlink_to("/etc/passwd")
        (tmp_path / "outside.png").write_bytes(b"outside")
        for data in (
            {"path": str(tmp_path / "outside.png")},
            {"path": f"{workspace.uploads}/../../outside.png"},
            {"path": str(workspace.uploads / "link.png")},
            {"path": str(workspace.uploads)},
            {"path": "http://127.0.0.1/photo.png"},
            {},
            None,
            "photo.png",
        ):
            with pytest.raises(ValueError, match="not an uploaded file"):
                uploaded_file(data, workspace)
        session = workspace.session("tab")
        kept = take(uploaded_file({"path": str(inside)}, workspace), session)
        assert kept.read_bytes() == b"photo"
        workspace.end("tab")
        assert not kept.exists()
        assert not inside.exists()
    finally:
        workspace.close()
    assert not workspace.folder.exists()
