"""Safeguards of files and events: what is kept, for whom, and what is left behind."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

CONTENTS = "webapp/services/files/contents.py"
COMMANDS = "webapp/services/files/commands.py"
FORMATS = "webapp/services/files/formats.py"
DOWNLOADS = "webapp/http/downloads.py"
UPLOADS = "webapp/http/uploads.py"
SWEEP = "tasks/files.py"

_files = "tests/api/files/test_files.py::test_{}".format
_sweep = "tests/tasks/test_files.py::test_{}".format
_formats = "tests/services/files/test_formats.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "that no event becomes visible after a later one",
        "webapp/services/activity/events.py",
        "j.created_at, stream.before + j.n\n",
        "j.created_at, (extract(epoch FROM j.created_at) * 1000000)::bigint\n",
        "tests/api/activity/test_events.py::test_no_event_becomes_visible_after_a_later_one",
    ),
    without(
        "that an event is read by those who may read its record",
        "webapp/api/activity/events.py",
        '({} if readable is None else {"readable": readable})',
        "{}",
        "tests/api/activity/test_events.py::test_an_event_is_read_by_those_who_may_read_its_record",
    ),
    without(
        "the quota of files, decided by the statement that counts",
        CONTENTS,
        "       WHERE kept.bytes + excluded.bytes <= :quota\n",
        "",
        _files("an_organization_stores_no_more_than_its_quota_even_at_once"),
    ),
    without(
        "that the bytes of a file are kept once",
        CONTENTS,
        "        if kept is not None:\n            return UUID(str(kept))\n",
        "",
        _files("the_same_bytes_are_kept_once_for_an_organization_and_again_for_another"),
    ),
    without(
        "that bytes go by the rows that are committed",
        SWEEP,
        "    removed = store.remove_abandoned(organization_id)\n",
        "    forget_unused()\n    removed = store.remove_abandoned(organization_id)\n",
        _sweep("a_sweep_that_is_rolled_back_has_removed_no_bytes_that_a_row_names"),
    ),
    without(
        "that bytes of a request at work are left alone",
        "webapp/core/file_store.py",
        "                    if entry.stat().st_mtime < before:\n                        found",
        "                    if entry.stat():\n                        found",
        _sweep("bytes_without_a_row_go_after_a_day_and_not_before"),
    ),
    without(
        "that bytes which a row names stay",
        SWEEP,
        "        orphans = set(old) - known_contents(old) if old else set()\n",
        "        orphans = set(old)\n",
        _sweep("bytes_without_a_row_go_after_a_day_and_not_before"),
    ),
    without(
        "that a refused upload leaves nothing",
        UPLOADS,
        "        if not isinstance(error, Unavailable):\n            _discard(opened)\n",
        "",
        _files("a_program_or_what_its_name_does_not_fit_is_refused_and_leaves_nothing"),
    ),
    without(
        "that a file is what its name says",
        FORMATS,
        '        if not FORMATS[ending].fits(_trimmed(head) if ending == "pdf" else head):\n',
        "        if False:\n",
        _formats("a_program_or_what_the_name_does_not_fit_is_refused"),
    ),
    without(
        "that programs are not taken",
        FORMATS,
        "    if ending in _PROGRAMS or _is_program(head):\n",
        "    if False:\n",
        _formats("a_program_or_what_the_name_does_not_fit_is_refused"),
    ),
    without(
        "that a name misleads nobody",
        FORMATS,
        '    seen = "".join(c if unicodedata.category(c)[0] != "C" else "" for c in last)\n',
        "    seen = last\n",
        _formats("the_name_that_is_kept_has_nothing_in_it_that_misleads"),
    ),
    without(
        "that no browser runs what was uploaded",
        DOWNLOADS,
        'headers["Content-Type"] = UNKNOWN',
        'headers["Content-Type"] = row["content_type"]',
        _files("what_is_downloaded_is_saved_and_never_run"),
    ),
    without(
        "that an approval is of the version that was seen",
        COMMANDS,
        '    if values.get("version", file.version) != file.version:\n',
        "    if False:\n",
        _files("a_version_is_approved_once_and_changes_need_a_word"),
    ),
    without(
        "that a file is of the engagement of its project",
        COMMANDS,
        "        if engagement_id not in (None, project.engagement_id):\n",
        "        if False:\n",
        _files("a_file_is_of_the_engagement_of_its_project"),
    ),
    without(
        "that a file of a deleted engagement stays deleted",
        COMMANDS,
        "        lock(Engagement, file.engagement_id, share=True)\n    except",
        "        pass\n    except",
        _files("a_file_is_trashed_and_restored"),
    ),
    without(
        "that a key stands for one file",
        "webapp/http/idempotency.py",
        "[value.name, value.sha256] if isinstance(value, Upload) else value",
        "[] if isinstance(value, Upload) else value",
        _files("the_same_key_stores_a_file_once"),
    ),
)
