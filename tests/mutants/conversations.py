"""Safeguards of what people write to each other."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

MARKDOWN = "webapp/services/common/markdown.py"
MESSAGES = "webapp/services/conversations/messages.py"
READERS = "webapp/services/conversations/readers.py"
READING = "webapp/services/conversations/reading.py"
MENTIONS = "webapp/services/conversations/mentions.py"
QUERIES = "webapp/services/conversations/queries.py"
WORDS = "migrations/versions/0052_edit_messages.py"

_reading = "tests/api/conversations/test_reading.py::test_{}".format
_editing = "tests/api/conversations/test_editing.py::test_{}".format
_mentions = "tests/api/conversations/test_mentions.py::test_{}".format
_search = "tests/api/conversations/test_search.py::test_{}".format
_text = "tests/services/common/test_markdown.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "that HTML in a text is shown as text",
        MARKDOWN,
        '{"html": False, ',
        '{"html": True, ',
        _text("markdown_becomes_html"),
    ),
    without(
        "the check of links by the reader of Markdown",
        MARKDOWN,
        "        return _is_link(url)\n",
        "        return True\n",
        _text("markdown_becomes_html"),
    ),
    without(
        "the cleaning of addresses in HTML",
        MARKDOWN,
        "    attribute_filter=_allowed,\n",
        "",
        _text("html_is_clean_even_where_the_reader_of_markdown_would_let_some_through"),
    ),
    without(
        "that pictures are not loaded from elsewhere",
        MARKDOWN,
        '    "a", "blockquote",',
        '    "a", "img", "blockquote",',
        _text("html_is_clean_even_where_the_reader_of_markdown_would_let_some_through"),
    ),
    without(
        "the bound of the marks that are read",
        MARKDOWN,
        "    if len(_MARKS.findall(text)) > MAX_MARKS:\n        return _as_it_stands(text)\n",
        "",
        _text("no_text_keeps_the_server_busy"),
    ),
    without(
        "that clients meet no internal message",
        READERS,
        "message.is_internal.is_(False) | (any_(_STAFF) == CALLER_KIND)",
        "message.is_internal.is_(False) | (any_(_STAFF) != CALLER_KIND)",
        _reading("a_client_meets_no_internal_message"),
    ),
    without(
        "that internal messages are not counted for clients",
        READERS,
        "            own.is_not(true()),\n            is_shown(Message),\n",
        "            own.is_not(true()),\n",
        _reading("a_client_meets_no_internal_message"),
    ),
    without(
        "that one's own messages are not unread",
        READERS,
        "            own.is_not(true()),\n",
        "",
        _reading("ones_own_messages_never_count"),
    ),
    without(
        "that deleted messages are not unread",
        READERS,
        "            Message.deleted_at.is_(None),\n",
        "",
        _reading("a_deleted_message_no_longer_waits_to_be_read"),
    ),
    without(
        "that reading never goes backwards",
        READING,
        "            where=ReadMarker.last_read_at < new.excluded.last_read_at,\n",
        "",
        _reading("a_reader_reads_up_to_a_message_and_never_back"),
    ),
    without(
        "that who asks is taken from the credential",
        "models/db/queries.py",
        '"coalesce(q.subject_id, q.credential_id)::text"',
        '"q.organization_id::text"',
        _reading("what_others_wrote_counts_until_it_is_read"),
    ),
    without(
        "that only its sender edits a message",
        MESSAGES,
        "    if not _is_sender(message):\n",
        "    if False:\n",
        _editing("only_the_sender_edits_a_message"),
    ),
    without(
        "the end of the time for edits",
        MESSAGES,
        "    if now() - message.created_at > EDITABLE_FOR:\n",
        "    if False:\n",
        _editing("after_fifteen_minutes_a_message_stays_as_it_is"),
    ),
    without(
        "that an edit keeps what was said before",
        MESSAGES,
        "    insert_records([MessageRevision(message_id=message.id, **before)])\n",
        "",
        _editing("an_edit_keeps_what_the_message_said_before"),
    ),
    without(
        "that revisions stay as they were written",
        WORDS,
        '    protect("message_revisions", rights="SELECT, INSERT")\n',
        '    protect("message_revisions")\n',
        _editing("revisions_can_neither_be_changed_nor_deleted"),
    ),
    without(
        "that the text of a deleted message is not shown",
        QUERIES,
        '    if row.get("deleted_at") is not None:\n',
        "    if False:\n",
        _editing("a_deleted_message_leaves_its_place"),
    ),
    without(
        "that the revisions of a deleted message are not shown",
        QUERIES,
        "                    Message.deleted_at.is_(None),\n    ",
        "    ",
        _editing("a_deleted_message_leaves_its_place"),
    ),
    without(
        "who may delete a message",
        MESSAGES,
        '    if not _is_sender(message) and current_principal().role not in ("owner", "admin"):\n',
        "    if False:\n",
        _editing("who_wrote_it_or_an_administrator_deletes_a_message"),
    ),
    without(
        "that those who are mentioned are members",
        MENTIONS,
        "    if unknown := [id_ for id_ in wanted if id_ not in names]:\n",
        "    wanted = [id_ for id_ in wanted if id_ in names]\n    if unknown := []:\n",
        _mentions("who_is_no_member_cannot_be_mentioned"),
    ),
    without(
        "that who was mentioned before is not told again",
        MESSAGES,
        "    told = _told_already(message) | {",
        "    told = set() | {",
        _mentions("an_edit_tells_only_who_was_not_told"),
    ),
    without(
        "that who left is not told of messages",
        MENTIONS,
        "            Membership.deleted_at.is_(None),\n",
        "",
        _mentions("who_left_the_organization_is_not_told"),
    ),
    without(
        "that a deleted message is not found",
        QUERIES,
        "    return Message.id.in_(found) & Message.deleted_at.is_(None)\n",
        "    return Message.id.in_(found)\n",
        _search("a_deleted_message_is_not_found"),
    ),
    without(
        "that an edited message is found by its new words",
        WORDS,
        "    IF TG_OP = 'UPDATE' THEN\n",
        "    IF false THEN\n",
        _search("an_edited_message_is_found_by_what_it_says_now"),
    ),
    without(
        "that words are looked up in their index",
        WORDS,
        '        " ON message_words (organization_id, conversation_id, word, message_id)"\n',
        '        " ON message_words (organization_id, (lower(word)), message_id)"\n',
        _search("words_are_looked_up_in_their_index"),
    ),
    without(
        "the refusal of a file that the client cannot open",
        "webapp/services/conversations/attachments.py",
        "elif not (is_internal or file.visible_to_client):",
        "elif False:",
        "tests/api/conversations/test_attachments.py::"
        "test_what_the_client_cannot_open_is_attached_to_internal_messages_alone",
    ),
    without(
        "the engagement of a file that is attached",
        "webapp/services/conversations/attachments.py",
        "            FileObject.engagement_id == engagement_id,\n",
        "",
        "tests/api/conversations/test_attachments.py::"
        "test_a_file_of_another_engagement_or_a_deleted_one_is_not_known",
    ),
)
