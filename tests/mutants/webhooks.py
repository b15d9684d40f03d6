"""Safeguards of webhooks: where they go, who is told of what, and how often."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

SENDER = "webapp/core/webhook_sender.py"
SENDING = "webapp/services/webhooks/sending.py"
MESSAGES = "webapp/services/webhooks/messages.py"
ENDPOINTS = "webapp/services/webhooks/endpoints.py"

_sender = "tests/core/test_webhook_sender.py::test_{}".format
_webhooks = "tests/api/webhooks/test_webhooks.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "that webhooks go to public addresses alone",
        SENDER,
        "    if translated or ip.is_multicast or not ip.is_global:\n",
        "    if False:\n",
        _sender("an_address_that_is_not_public_is_refused"),
        _sender("a_name_that_stands_for_an_inner_address_is_not_connected_to"),
    ),
    without(
        "that an IPv6 address hides no other",
        SENDER,
        "    translated = any(ip in network for network in _TRANSLATED"
        " if network.version == ip.version)\n",
        "    translated = False\n",
        _sender("an_address_that_is_not_public_is_refused"),
    ),
    without(
        "that a webhook is sent to the addresses that were checked",
        SENDER,
        "socket.create_connection((address, self.port), STEP_SECONDS)",
        'socket.create_connection(("127.0.0.2", self.port), STEP_SECONDS)',
        _sender("a_name_that_changes_after_the_check_changes_nothing"),
    ),
    without(
        "that all addresses of a name are checked",
        SENDER,
        "    for address in addresses:  # all of them, so that none is reached by luck\n",
        "    for address in addresses[:1]:\n",
        _sender("a_name_that_stands_for_an_inner_address_is_not_connected_to"),
    ),
    without(
        "that plain http is for this machine's names alone",
        SENDER,
        '    if parts.scheme != "https":\n',
        "    if False:\n",
        _sender("the_setting_for_development_allows_loopback_by_its_names_alone"),
    ),
    without(
        "the end of a delivery's time",
        SENDER,
        "                    self._handle.shutdown(socket.SHUT_RDWR)\n",
        "                    pass\n",
        _sender("a_receiver_that_says_nothing_or_never_ends_is_left_in_time"),
    ),
    without(
        "that a redirect is no success",
        SENDER,
        "        return self.error is None and self.status is not None"
        " and 200 <= self.status < 300\n",
        "        return self.status is not None and 200 <= self.status < 400\n",
        _sender("a_redirect_is_not_followed"),
    ),
    without(
        "that clients are told of no internal message",
        MESSAGES,
        '        return metadata.get("is_internal") is False\n',
        "        return True\n",
        _webhooks("a_client_is_told_of_nothing_that_is_internal_or_a_draft"),
    ),
    without(
        "that clients are told of no file that is not shown",
        MESSAGES,
        '        return metadata.get("visible_to_client") is True\n',
        "        return True\n",
        _webhooks("a_client_is_told_of_nothing_that_is_internal_or_a_draft"),
    ),
    without(
        "that clients are told of no draft",
        MESSAGES,
        '    if event["type"] not in _FOR_CLIENTS.get(kind, frozenset()):\n',
        "    if False:\n",
        _webhooks("a_client_is_told_of_nothing_that_is_internal_or_a_draft"),
    ),
    without(
        "that the time is signed with a webhook",
        MESSAGES,
        '    signed = f"{message_id}.{timestamp}.".encode() + body\n',
        '    signed = f"{message_id}.".encode() + body\n',
        _webhooks("an_event_is_sent_signed_as_the_standard_says"),
    ),
    without(
        "that the secret of before ends",
        SENDING,
        "until is not None and until > now():",
        "until is not None:",
        _webhooks("both_secrets_sign_while_receivers_change_over"),
    ),
    without(
        "the order of what is about one record",
        SENDING,
        'ordering_key=f"webhook:{about}" if about else None',
        "ordering_key=None",
        _webhooks("what_is_about_one_record_is_sent_in_order_and_holds_up_no_other"),
    ),
    without(
        "the lane of webhooks",
        "webapp/services/jobs/kinds.py",
        '            "webhook",\n',
        '            "signature",\n',
        _webhooks("what_was_not_taken_is_tried_again_under_the_same_id"),
    ),
    without(
        "the rest of a receiver that fails all the time",
        "tasks/webhooks.py",
        '    if sending.is_resting(UUID(payload["delivery_id"])):\n',
        "    if False:\n",
        _webhooks("a_receiver_that_fails_all_the_time_is_tried_once_a_minute"),
    ),
    without(
        "that a failing webhook is switched off",
        SENDING,
        "    elif for_long and endpoint.failure_count >= FEWEST_FAILURES:\n",
        "    elif False:\n",
        _webhooks("a_receiver_that_is_gone_or_fails_for_days_is_switched_off_and_its_owner_told"),
    ),
    without(
        "that the secret of a webhook is shown once",
        ENDPOINTS,
        '    deferred=("secret", "previous_secret"),\n',
        "",
        _webhooks("the_secret_is_shown_once"),
    ),
    without(
        "that a delivery on its way is not sent twice",
        ENDPOINTS,
        '    if delivery.state == "pending":\n',
        "    if False:\n",
        _webhooks("a_delivery_is_replayed_once_it_has_ended"),
    ),
)
