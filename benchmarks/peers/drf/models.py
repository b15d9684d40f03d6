"""The product's tables as unmanaged models.

Their primary keys are (organization_id, id), so related records are joined over both columns.
"""

from __future__ import annotations

import uuid_utils.compat
from django.db import models
from django.db.models.fields.related import ForeignObject


class Company(models.Model):
    organization_id = models.UUIDField()
    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=255)

    class Meta:
        managed = False
        db_table = "client_companies"


class Contact(models.Model):
    organization_id = models.UUIDField()
    id = models.UUIDField(primary_key=True)
    first_name = models.CharField(max_length=255)
    last_name = models.CharField(max_length=255)
    email = models.CharField(max_length=254, null=True)

    class Meta:
        managed = False
        db_table = "contacts"


def within_organization(to: type[models.Model], column: str) -> ForeignObject:
    return ForeignObject(
        to,
        on_delete=models.DO_NOTHING,
        from_fields=["organization_id", column],
        to_fields=["organization_id", "id"],
        related_name="+",
        null=True,
    )


class Engagement(models.Model):
    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        ON_HOLD = "on_hold", "Paused"
        COMPLETED = "completed", "Closed"
        CANCELLED = "cancelled", "Cancelled"

    organization_id = models.UUIDField()
    id = models.UUIDField(primary_key=True, default=uuid_utils.compat.uuid7)
    name = models.CharField(max_length=255)
    description = models.TextField(null=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    start_date = models.DateField(null=True)
    end_date = models.DateField(null=True)
    total_value = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    currency = models.CharField(max_length=3, null=True)
    owner_id = models.CharField(max_length=255)
    client_company_id = models.UUIDField(null=True)
    client_company = within_organization(Company, "client_company_id")
    contact_id = models.UUIDField(null=True)
    contact = within_organization(Contact, "contact_id")
    deal_id = models.UUIDField(null=True)
    contract_id = models.UUIDField(null=True)
    proposal_id = models.UUIDField(null=True)
    custom_fields = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    closed_at = models.DateTimeField(null=True)
    health = models.CharField(max_length=16, default="ok")
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "engagements"


class Project(models.Model):
    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        ON_HOLD = "on_hold", "Paused"
        COMPLETED = "completed", "Completed"
        CANCELLED = "cancelled", "Cancelled"

    class Phase(models.TextChoices):
        KICKOFF = "kickoff", "Kickoff"
        SETUP = "setup", "Setup"
        BUILD = "build", "Build"
        TESTING = "testing", "Testing"
        DEPLOYMENT = "deployment", "Deployment"
        HANDOFF = "handoff", "Handoff"

    organization_id = models.UUIDField()
    id = models.UUIDField(primary_key=True)
    engagement = models.ForeignKey(Engagement, models.DO_NOTHING, related_name="projects")
    name = models.CharField(max_length=255)
    phase = models.CharField(max_length=16, choices=Phase.choices)
    status = models.CharField(max_length=16, choices=Status.choices)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "projects"


class Conversation(models.Model):
    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    organization_id = models.UUIDField()
    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(Project, models.DO_NOTHING, related_name="conversations")
    subject = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=Status.choices)
    last_message_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "conversations"
