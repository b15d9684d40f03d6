"""Safeguards of work: what waits for what, and what keeps a project back."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

TASKS = "webapp/services/projects/tasks.py"
PHASES = "webapp/services/projects/phases.py"
MILESTONES = "webapp/services/projects/milestones.py"

DEALS = "webapp/services/crm/deals.py"
FORECAST = "webapp/services/overview/forecast.py"

PACKAGES = "webapp/services/catalog/engagement_template_use.py"
PREVIEWS = "webapp/services/common/previews.py"

RESCHEDULING = "webapp/services/projects/rescheduling.py"

_dates = "tests/api/projects/test_project_dates.py::test_{}".format
FINDING = "webapp/services/common/custom_fields.py"

_finding = "tests/api/custom_fields/test_finding.py::test_{}".format
_packages = "tests/api/catalog/test_engagement_templates.py::test_{}".format
_deals = "tests/api/crm/test_deals.py::test_{}".format
_tasks = "tests/api/projects/test_tasks.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "that tasks do not wait in a circle",
        TASKS,
        "        elif id_ == task.id or task.id in _reachable(id_):\n",
        "        elif id_ == task.id:\n",
        _tasks("a_circle_of_waiting_is_refused_by_name"),
    ),
    without(
        "the lock of the project whose tasks change",
        TASKS,
        "    project = lock(Project, project_id)\n    return project, lock(",
        "    project = lock(Project, project_id, share=True)\n    return project, lock(",
        _tasks("two_changes_at_once_make_no_circle"),
    ),
    without(
        "that a task waits for what it depends on",
        TASKS,
        "        if waiting:\n",
        "        if False:\n",
        _tasks("a_task_waits_for_the_open_ones_it_depends_on"),
    ),
    without(
        "that work is given to members alone",
        TASKS,
        "        if db.session.scalars(member).one_or_none() is None:\n",
        "        if False:\n",
        _tasks("only_a_member_of_the_organization_is_given_work"),
    ),
    without(
        "that a task's milestone is of its project",
        TASKS,
        "            if owner.project_id != project.id:\n",
        "            if False:\n",
        _tasks("a_task_of_another_project_is_not_waited_for"),
    ),
    without(
        "that what is over takes no new work",
        TASKS,
        '    refuse_if_over(engagement, "takes no new work")\n',
        "",
        _tasks("what_is_over_takes_no_new_work"),
    ),
    without(
        "that a blocking task keeps the project back",
        PHASES,
        "    if is_forward and not forced:\n",
        "    if False:\n",
        _tasks("an_open_task_that_blocks_the_phase_keeps_the_project_back"),
    ),
    without(
        "that a project goes back from Testing alone",
        PHASES,
        '    if project.phase != "testing":\n',
        "    if False:\n",
        "tests/api/projects/test_phases.py::test_only_from_testing_a_project_goes_back",
        "tests/scenarios/test_work_machine.py::"
        "test_no_sequence_of_calls_reaches_what_the_rules_of_work_forbid",
    ),
    without(
        "that a milestone was reached when it was reached",
        MILESTONES,
        '    if values.get("reached") and milestone.completed_at is not None:\n',
        "    if False:\n",
        _tasks("a_milestone_is_reached_and_its_tasks_stay_when_it_is_deleted"),
    ),
    without(
        "that a deal is not lost without a reason",
        DEALS,
        '    if stage == "lost" and not gave_reason and',
        "    if False and",
        _deals("a_deal_is_not_lost_without_a_reason"),
    ),
    without(
        "that a deal's age in its stage begins with the stage",
        DEALS,
        "        deal.stage_since = moment\n",
        "",
        _deals("a_deals_age_in_its_stage_begins_anew_with_each_stage"),
    ),
    without(
        "that a forecast weighs a deal by its own probability",
        FORECAST,
        "coalesce(e.probability, s.probability)",
        "s.probability",
        _deals("a_forecast_weighs_each_stage_by_its_probability_and_a_deal_by_its_own"),
    ),
    without(
        "that a preview is taken back",
        PREVIEWS,
        "        savepoint.rollback()\n",
        "        savepoint.commit()\n",
        _packages("a_preview_shows_what_is_made_and_makes_nothing"),
    ),
    without(
        "that a preview's jobs are taken back with it",
        PREVIEWS,
        "        context.jobs.rows.clear()\n",
        "",
        _packages("a_preview_shows_what_is_made_and_makes_nothing"),
    ),
    without(
        "that a template with a deleted service is not applied",
        "webapp/services/catalog/engagement_templates.py",
        "                Service.deleted_at.is_(None),\n",
        "",
        _packages("a_template_with_a_deleted_service_is_not_applied"),
    ),
    without(
        "that a proposal of a template needs the right to write proposals",
        "webapp/api/catalog/engagement_templates.py",
        '        demand(current_principal(), "sales:write")\n',
        "        pass\n",
        _packages("who_may_not_write_proposals_makes_none_of_a_template"),
    ),
    without(
        "that a template opens the portal only where it says so",
        PACKAGES,
        "    if template.portal_access and engagement.contact_id is not None:\n",
        "    if engagement.contact_id is not None:\n",
        _packages("without_portal_access_the_contact_does_not_get_in"),
    ),
    without(
        "that work of the phases before stays where it is",
        RESCHEDULING,
        "      AND due_date > coalesce(%(after)s::date, '-infinity')\n",
        "",
        _dates("a_phase_moves_with_those_after_it_and_their_open_work"),
    ),
    without(
        "that what is done is not moved",
        RESCHEDULING,
        "is_open=\"status NOT IN ('completed', 'cancelled')\"",
        'is_open="true"',
        _dates("a_phase_moves_with_those_after_it_and_their_open_work"),
    ),
    without(
        "that a phase is not moved before the one before it",
        RESCHEDULING,
        "    if before is not None and first < before.due_date:\n",
        "    if False:\n",
        _dates("what_brings_phases_out_of_order_is_refused_by_name"),
    ),
    without(
        "that a phase that is over is not moved",
        RESCHEDULING,
        "    if PHASE.number(phase) < PHASE.number(project.phase):\n",
        "    if False:\n",
        _dates("what_is_over_is_not_moved"),
    ),
    without(
        "that the days of phases are planned once",
        "webapp/services/projects/plans.py",
        "            if not has_phase_dates\n",
        "",
        _dates("the_days_of_phases_are_planned_from_the_template_once"),
    ),
    without(
        "that what a signature creates begins with the defaults of custom fields",
        "webapp/services/sales/fulfilment.py",
        "            start_date=today(),\n            custom_fields=dict(custom_fields),\n",
        "            start_date=today(),\n",
        "tests/api/custom_fields/test_values.py"
        "::test_what_a_signature_creates_begins_with_the_defaults",
    ),
    without(
        "that closing an engagement names its draft invoices",
        "webapp/api/engagements/engagements.py",
        '{"Link": ", ".join(links)} if links else {}',
        "{}",
        "tests/api/engagements/test_closing.py::test_closing_by_delete_links_the_draft_invoices",
    ),
    without(
        "that records without a value come last, and are shown",
        FINDING,
        "    return [Part(missing, missing == here) for missing in order[order.index(here) :]]\n",
        "    return [Part(here, after=True)]\n",
        _finding("lists_are_sorted_by_a_field_and_paged_both_ways_with_missing_values_last"),
    ),
    without(
        "that only numbers, money and dates have ranges",
        FINDING,
        "        elif types[key] not in RANGED:\n",
        "        elif False:\n",
        _finding("what_has_no_range_or_order_is_refused_by_name"),
    ),
)
