"""What goes in and out, as ModelSerializers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from benchmarks.peers.drf.models import Company, Contact, Conversation, Engagement, Project


def numbers(choices: type) -> dict[str, int]:
    """The number of each state, in the order of their declaration."""
    return {value: number for number, value in enumerate(choices.values, start=1)}  # type: ignore[attr-defined]


ENGAGEMENT = numbers(Engagement.Status)
PROJECT = numbers(Project.Status)
PHASE = numbers(Project.Phase)
CONVERSATION = numbers(Conversation.Status)


class CompanySerializer(serializers.ModelSerializer):
    class Meta:
        model = Company
        fields = ("id", "name")


class ContactSerializer(serializers.ModelSerializer):
    class Meta:
        model = Contact
        fields = ("id", "first_name", "last_name", "email")


class ProjectSerializer(serializers.ModelSerializer):
    phase = serializers.CharField(source="get_phase_display")
    phase_id = serializers.SerializerMethodField()
    status = serializers.CharField(source="get_status_display")
    status_id = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = ("id", "name", "phase", "phase_id", "status", "status_id")

    def get_phase_id(self, project: Project) -> int:
        return PHASE[project.phase]

    def get_status_id(self, project: Project) -> int:
        return PROJECT[project.status]


class ConversationSerializer(serializers.ModelSerializer):
    project_id = serializers.UUIDField()
    status = serializers.CharField(source="get_status_display")
    status_id = serializers.SerializerMethodField()

    class Meta:
        model = Conversation
        fields = ("id", "project_id", "subject", "status", "status_id", "last_message_at")

    def get_status_id(self, conversation: Conversation) -> int:
        return CONVERSATION[conversation.status]


LISTED = (
    "id", "organization_id", "name", "description", "status", "status_id", "start_date",
    "end_date", "total_value", "currency", "owner_id", "client_company_id", "client_company",
    "contact_id", "contact", "deal_id", "contract_id", "proposal_id", "health", "custom_fields",
    "created_at", "updated_at", "closed_at", "deleted_at",
)  # fmt: skip


class EngagementListedSerializer(serializers.ModelSerializer):
    status = serializers.CharField(source="get_status_display")
    status_id = serializers.SerializerMethodField()
    client_company = CompanySerializer()
    contact = ContactSerializer()

    class Meta:
        model = Engagement
        fields = LISTED

    def get_status_id(self, engagement: Engagement) -> int:
        return ENGAGEMENT[engagement.status]


class EngagementSerializer(EngagementListedSerializer):
    projects = ProjectSerializer(many=True)
    conversations = serializers.SerializerMethodField()

    class Meta:
        model = Engagement
        fields = (*LISTED, "projects", "conversations")

    def get_conversations(self, engagement: Engagement) -> Any:
        found = [
            conversation
            for project in engagement.projects.all()
            for conversation in project.conversations.all()
        ]
        return ConversationSerializer(found, many=True).data


class EngagementInSerializer(serializers.ModelSerializer):
    """References are left to the foreign keys, which saves a query for each."""

    owner_id = serializers.CharField(max_length=255, default="peer")
    currency = serializers.RegexField("^[A-Z]{3}$", required=False, allow_null=True)
    total_value = serializers.DecimalField(
        max_digits=12, decimal_places=2, min_value=0, required=False, allow_null=True
    )

    class Meta:
        model = Engagement
        fields = (
            "name", "description", "start_date", "end_date", "total_value", "currency", "owner_id",
            "client_company_id", "contact_id", "deal_id", "contract_id", "custom_fields",
        )  # fmt: skip
